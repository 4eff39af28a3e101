import type { SecretView } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import { keys, objects, put, unchanged } from "../objects/objects.ts";
import type { Change, Condition } from "../store/store.ts";
import type { OperationContext } from "./context.ts";
import type { Receipt } from "./receipt.ts";
import { newRelease, targetSpec } from "./releases.ts";
import { secretUsers } from "./secret-users.ts";
import { requireSpace } from "./space-operations.ts";
import { transact } from "./transact.ts";

export interface SecretCall {
  readonly space: SpaceName;
  readonly name: string;
  readonly receipt: Receipt | null;
}

export interface SecretChanged {
  readonly space: string;
  readonly name: string;
  /** Null: the secret is gone. */
  readonly version: number | null;
  /** Apps that got a new release for it. */
  readonly releases: readonly { readonly app: string; readonly release: number }[];
  /** False: it had this value already, and nothing was written. */
  readonly changed: boolean;
  readonly revision: number;
}

/** The space's secrets, never their values. */
export function listSecrets(context: OperationContext, space: SpaceName): readonly SecretView[] {
  requireSpace(context, space);
  const usersOf = secretUsers(context.store, space);
  return context.secrets.list(space).map((secret) => {
    const { usedBy, signs } = usersOf(secret.name);
    return { ...secret, usedBy: [...usedBy], signs: [...signs] };
  });
}

/** Gives the secret a new version unless it has this value already, and each app that uses it a new release with it, in one commit. */
export async function setSecret(context: OperationContext, { space, name, receipt }: SecretCall, value: string): Promise<SecretChanged> {
  const { store, secrets, events, clock } = context;
  const changed = await transact(store, receipt, () => {
    const inSpace = requireSpace(context, space);
    const latest = secrets.latest(space, name);
    if (latest !== null && secrets.holds(space, name, value)) {
      const answer = { space: space as string, name, version: latest.version as number | null, releases: [], changed: false };
      return { answer, conditions: [], changes: [] };
    }
    const { version, condition, change } = secrets.set(space, name, value, versionsInUse(context, space, name));
    const conditions: Condition[] = [unchanged(keys.space(space), inSpace), condition];
    const changes: Change[] = [change];
    const releases: { app: string; release: number }[] = [];
    for (const stored of secretUsers(store, space)(name).apps) {
      const spec = targetSpec(store, stored.value);
      if (spec === null) continue;
      const made = newRelease(context, stored.value, { ...spec, secrets: { ...spec.secrets, [name]: version } }, "secret", clock.nowMs());
      conditions.push(unchanged(stored.key, stored), ...made.conditions);
      changes.push(put(stored.key, made.app), ...made.changes);
      releases.push({ app: stored.value.name, release: made.app.lastRelease });
    }
    return { answer: { space: space as string, name, version: version as number | null, releases, changed: true }, conditions, changes };
  });
  if (!changed.changed) return changed;
  events.append({ kind: "secret.set", space, subject: name, message: `secret ${name} has version ${changed.version}` });
  for (const { app, release } of changed.releases) {
    events.append({
      kind: "release.created",
      space,
      app,
      subject: String(release),
      message: `release ${release} of "${app}" is wanted (secret ${name})`,
    });
  }
  return changed;
}

/** @throws {DroverError} SECRET_NOT_FOUND; CONFLICT while an app, a pool or the ladder's e-mail needs it. */
export async function unsetSecret(context: OperationContext, { space, name, receipt }: SecretCall): Promise<SecretChanged> {
  const { store, secrets, events } = context;
  let signed: readonly string[] = [];
  const changed = await transact(store, receipt, () => {
    const inSpace = requireSpace(context, space);
    const users = secretUsers(store, space)(name);
    if (users.usedBy.length > 0) throw inUse(name, users.usedBy);
    const { condition, change } = secrets.unset(space, name);
    const releases: { app: string; release: number }[] = [];
    const answer = { space: space as string, name, version: null as number | null, releases, changed: true };
    signed = users.signs;
    return { answer, conditions: [unchanged(keys.space(space), inSpace), condition, ...users.conditions], changes: [change] };
  });
  events.append({
    kind: "secret.unset",
    space,
    subject: name,
    message: `secret ${name} is gone${signed.length === 0 ? "" : `; webhooks of ${signed.join(", ")} are not signed any more`}`,
  });
  return changed;
}

function inUse(name: string, users: readonly string[]): DroverError {
  return new DroverError("CONFLICT", `the secret ${name} is used by ${users.map((user) => `"${user}"`).join(", ")}`, {
    hint: "Take it out of their manifests and apply them, then remove it.",
    details: { usedBy: users },
  });
}

/** Versions that kept releases were made with: going back to one must find its values. */
function versionsInUse({ store }: OperationContext, space: SpaceName, name: string): ReadonlySet<number> {
  const versions = new Set<number>();
  for (const { value: app } of objects.apps(store, space)) {
    for (const { value: release } of objects.releases(store, space, app.name)) {
      const version = Object.hasOwn(release.spec.secrets, name) ? release.spec.secrets[name] : undefined;
      if (version !== undefined) versions.add(version);
    }
  }
  return versions;
}
