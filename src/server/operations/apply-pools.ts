import { X509Certificate } from "node:crypto";
import type { PlannedChange } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import type { PoolName } from "#model/names.ts";
import { secretsOf } from "#model/pool.ts";
import { type PoolManifest, poolManifest } from "#model/pool-schemas.ts";
import type { DeclaredPool } from "../manifests/pool-documents.ts";
import { type FoundProblem, throwProblems } from "../manifests/problems.ts";
import type { Declared } from "../manifests/read-manifests.ts";
import { put, remove, unchanged } from "../objects/objects.ts";
import { poolKeys, poolObjects, type StoredPool } from "../objects/pool-objects.ts";
import { poolPinsKeys } from "../objects/pool-pins.ts";
import { compileProvider } from "../pools/compile-pool.ts";
import type { Store } from "../store/store.ts";
import type { ApplyDraft } from "./apply.ts";
import type { OperationContext } from "./context.ts";
import { differences } from "./differences.ts";

/**
 * The declared pools, beside those of other spaces. One that is declared no more and pruned is forgotten; its machines stay as they are, because a file
 * that was left out by mistake must not take a fleet with it.
 * @throws {DroverError} MANIFEST_INVALID with every place; SECRET_MISSING
 */
export function draftPools(context: OperationContext, declared: Declared, isPruning: boolean, draft: ApplyDraft): void {
  const { store } = context;
  const { space, pools } = declared;
  throwProblems(ownedElsewhere(declared, poolObjects.pools(store)));
  for (const pool of pools) {
    throwProblems(unusableCa(pool));
    requireSecrets(context, declared, pool);
    draftPool(context, declared, pool.manifest.pool as PoolName, pool, draft);
  }
  if (!isPruning) return;
  const names = new Set<string>(pools.map(({ manifest }) => manifest.pool));
  for (const { value } of poolObjects.pools(store, space))
    if (!names.has(value.name)) draftPool(context, declared, value.name, null, draft);
}

/** The pools that the space has once what is declared is in force. */
export function poolsAfter(store: Store, { space, pools }: Declared, isPruning: boolean): readonly PoolManifest[] {
  const names = new Set<string>(pools.map(({ manifest }) => manifest.pool));
  const staying = isPruning ? [] : poolObjects.pools(store, space).filter(({ value }) => !names.has(value.name));
  return [...pools.map(({ manifest }) => manifest), ...staying.map(({ value }) => poolManifest.parse(value.manifest))];
}

function draftPool(
  { store }: OperationContext,
  { space }: Declared,
  name: PoolName,
  pool: DeclaredPool | null,
  { plan, conditions, changes, events }: ApplyDraft,
): void {
  const key = poolKeys.pool(space, name);
  const stored = poolObjects.pool(store, space, name);
  const next: StoredPool | null = pool === null ? null : { space, name, manifest: pool.written };
  const found = differences(stored?.value.manifest ?? {}, next?.manifest ?? {});
  const action = next === null ? "destroy" : stored === null ? "create" : found.length > 0 ? "update" : "none";
  (plan.changes as PlannedChange[]).push({
    kind: "pool",
    space,
    name,
    action,
    changes: [...found],
    source: null,
    build: null,
    file: pool?.file ?? "",
    warnings: next === null ? ["its machines stay at the provider as they are: nothing looks after them any more"] : [],
  });
  conditions.push(unchanged(key, stored));
  if (action === "none") return;
  changes.push(next === null ? remove(key) : put(key, next));
  const pins = poolPinsKeys.pool(space, name);
  if (next === null && store.get(pins) !== null) changes.push(remove(pins));
  const what = next === null ? "is forgotten, and its machines stay as they are" : action === "create" ? "is wanted" : "changed";
  events.push({ kind: `pool.${next === null ? "removed" : "changed"}`, app: null, subject: name, message: `pool "${name}" ${what}` });
}

/** Machines are known by their names, and a pool's name is part of them: one name, one pool of the whole installation. */
function ownedElsewhere({ space, pools }: Declared, stored: readonly { readonly value: StoredPool }[]): readonly FoundProblem[] {
  const owners = new Map<string, StoredPool>(stored.map(({ value }) => [value.name, value]));
  return pools.flatMap(({ manifest, file, place }): readonly FoundProblem[] => {
    const owner = owners.get(manifest.pool);
    if (owner === undefined || owner.space === space) return [];
    const found = `pool "${manifest.pool}"`;
    const wanted = `a name that no other pool has; space "${owner.space}" has it`;
    return [{ kind: "invalid", file, ...place(["pool"]), path: "pool", found, wanted, nearest: null }];
  });
}

/** What only looks like certificates would be found out when the first controller is asked. */
function unusableCa({ manifest, file, place }: DeclaredPool): readonly FoundProblem[] {
  const ca = manifest.provider.redfish?.ca;
  if (ca === undefined) return [];
  try {
    new X509Certificate(ca);
    return [];
  } catch {
    // OpenSSL says which of its routines gave up, and nothing that helps.
    const path = ["provider", "redfish", "ca"];
    return [
      {
        kind: "invalid",
        file,
        ...place(path),
        path: path.join("."),
        found: "no certificate",
        wanted: "certificates as PEM",
        nearest: null,
      },
    ];
  }
}

function requireSecrets({ secrets }: OperationContext, { space }: Declared, { manifest }: DeclaredPool): void {
  const missing = secretsOf(compileProvider(manifest.provider)).filter((name) => secrets.latest(space, name) === null);
  const [first] = missing;
  if (first === undefined) return;
  throw new DroverError("SECRET_MISSING", `pool "${manifest.pool}" names the secret ${first}, which space "${space}" does not have`, {
    hint: `Set it with \`drover secret set ${first} --space ${space}\`, then apply again.`,
    details: { missing },
  });
}
