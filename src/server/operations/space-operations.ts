import type { z } from "zod";
import type { SpaceView } from "#model/api.ts";
import type { Space } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import { spaceManifest } from "#model/manifest.ts";
import type { SpaceName } from "#model/names.ts";
import { defaultSpace } from "../manifests/read-manifests.ts";
import { ladderKeys } from "../objects/ladder-objects.ts";
import { keys, objects, remove, type Stored, unchanged } from "../objects/objects.ts";
import { poolHostsKeys } from "../objects/pool-hosts.ts";
import { poolKeys } from "../objects/pool-objects.ts";
import { poolPinsKeys } from "../objects/pool-pins.ts";
import { poolSizeKeys } from "../objects/pool-size.ts";
import { type ApplyOptions, apply } from "./apply.ts";
import type { OperationContext } from "./context.ts";
import { forgetSpaceOfTokens } from "./forget-tokens.ts";
import type { Receipt } from "./receipt.ts";
import { transact } from "./transact.ts";

/** What may be said of a space besides its name. */
export const spaceSettings = spaceManifest.pick({ domain: true, env: true, logs: true });

/** @throws {DroverError} SPACE_NOT_FOUND */
export function requireSpace({ store }: Pick<OperationContext, "store">, space: SpaceName): Stored<Space> {
  const stored = objects.space(store, space);
  if (stored !== null) return stored;
  throw new DroverError("SPACE_NOT_FOUND", `there is no space "${space}"`, {
    hint: "A space is made by the first `drover apply` into it. List them with `drover space ls`.",
  });
}

export function viewSpace({ store }: Pick<OperationContext, "store">, stored: Stored<Space>): SpaceView {
  const { name, domain, env, logs, createdAtMs } = stored.value;
  return {
    name,
    domain,
    env,
    ...(logs === undefined ? {} : { logs }),
    createdAtMs,
    apps: objects.apps(store, name).length,
    revision: stored.modRevision,
  };
}

/** Makes the space, or changes its settings; apps whose environment or default route follows from them are carried along. */
export async function putSpace(
  context: OperationContext,
  space: SpaceName,
  settings: z.input<typeof spaceSettings>,
  options: Pick<ApplyOptions, "beyondApps"> & { readonly receipt: Receipt | null; readonly require: (current: number) => void },
): Promise<{ readonly revision: number }> {
  const text = JSON.stringify({ space, ...settings });
  const request = {
    documents: [{ file: "(request)", text }],
    variables: {},
    artifacts: {},
    prune: false,
    force: false,
    cause: "apply" as const,
  };
  const { receipt, require, ...more } = options;
  return apply(context, request, { ...more, receipt, requireSpace: require });
}

/**
 * Forgets an empty space with its secrets, its key-value pairs and the tokens for it alone.
 * @throws {DroverError} SPACE_NOT_FOUND; CONFLICT while it has apps, or more pairs than one commit takes.
 */
export async function deleteSpace(
  context: OperationContext,
  space: SpaceName,
  options: { readonly receipt: Receipt | null; readonly require: (current: number) => void },
): Promise<{ readonly space: string; readonly revision: number }> {
  const { store, events } = context;
  const deleted = await transact(store, options.receipt, () => {
    const stored = requireSpace(context, space);
    options.require(stored.modRevision);
    const apps = objects.apps(store, space);
    if (apps.length > 0) {
      throw new DroverError(
        "CONFLICT",
        `space "${space}" still has ${apps.length === 1 ? `the app "${apps[0]?.value.name}"` : `${apps.length} apps`}`,
        {
          hint: "Destroy its apps first, and wait until they are gone.",
        },
      );
    }
    const contents = [keys.secrets(space), keys.kv(space, ""), keys.searches(space), ...ladderPrefixes(space)].flatMap((prefix) =>
      store.list(prefix, { limit: maxContents + 1 }),
    );
    if (contents.length > maxContents) {
      throw new DroverError("CONFLICT", `space "${space}" still has more than ${maxContents} key-value pairs`, {
        hint: "Delete its keys first.",
      });
    }
    const tokens = forgetSpaceOfTokens(store, space);
    return {
      answer: { space: space as string },
      conditions: [unchanged(stored.key, stored), ...tokens.conditions],
      changes: [remove(stored.key), ...ladderSingles(store, space), ...contents.map(({ key }) => remove(key)), ...tokens.changes],
    };
  });
  events.append({ kind: "space.deleted", space, message: `space "${space}" was deleted` });
  return deleted;
}

/** What the Escalator keeps of a space in many keys. */
function ladderPrefixes(space: SpaceName): readonly string[] {
  const { escalations, pauses, notices, steps, allMade, deliveries } = ladderKeys;
  return [
    escalations,
    pauses,
    notices,
    steps,
    allMade,
    deliveries,
    poolKeys.pools,
    poolHostsKeys.pools,
    poolSizeKeys.pools,
    poolPinsKeys.pools,
  ].map((of) => of(space));
}

function ladderSingles(store: OperationContext["store"], space: SpaceName) {
  return [ladderKeys.ladder(space), ladderKeys.switches(space)].filter((key) => store.get(key) !== null).map(remove);
}

/** A new installation has the space that commands mean when they name none. */
export async function makeDefaultSpace(context: OperationContext): Promise<void> {
  if (objects.spaces(context.store).length > 0) return;
  await putSpace(context, defaultSpace, {}, { receipt: null, require: () => undefined });
}

/** Most pairs deleted along with their space: one commit must stay short. */
const maxContents = 5_000;
