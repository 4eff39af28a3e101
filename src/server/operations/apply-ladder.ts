import type { PlannedChange } from "#model/api.ts";
import { ladderManifest } from "#model/ladder-schemas.ts";
import type { AppName } from "#model/names.ts";
import { declaresOf, ladderProblems } from "../manifests/ladder-documents.ts";
import { machineProblems } from "../manifests/machine-problems.ts";
import { type FoundProblem, throwProblems } from "../manifests/problems.ts";
import type { Declared } from "../manifests/read-manifests.ts";
import { ladderKeys, ladderObjects, type StoredLadder } from "../objects/ladder-objects.ts";
import { objects, put, remove, unchanged } from "../objects/objects.ts";
import type { ApplyDraft } from "./apply.ts";
import { poolsAfter } from "./apply-pools.ts";
import type { OperationContext } from "./context.ts";
import { differences } from "./differences.ts";

/**
 * The declared ladder, or the one that there is, beside the checks of all apps of the space: together they have to work.
 * @throws {DroverError} MANIFEST_INVALID with every place
 */
export function draftLadder(
  context: OperationContext,
  declared: Declared,
  gone: ReadonlySet<AppName>,
  isPruning: boolean,
  draft: ApplyDraft,
): void {
  const { space, ladder } = declared;
  const { store } = context;
  const stored = ladderObjects.ladder(store, space);
  const key = ladderKeys.ladder(space);
  const isDropped = ladder === null && isPruning && stored !== null;
  const names = new Set(declared.apps.map(({ manifest }) => manifest.app));
  const others = objects.apps(store, space).filter(({ value }) => !names.has(value.name) && !gone.has(value.name) && !value.destroying);
  const manifest = ladder?.manifest ?? (stored === null || isDropped ? null : ladderManifest.parse(stored.value.manifest));
  throwProblems([
    ...ladderProblems(
      declared,
      manifest,
      others.map(({ value }) => declaresOf(value.name, value.manifest)),
    ),
    ...missingSecret(context, declared),
    ...machineProblems(declared, manifest, poolsAfter(store, declared, isPruning)),
  ]);
  if (ladder === null && !isDropped) return;
  const next: StoredLadder | null = ladder === null ? null : { space, manifest: ladder.written };
  const changes = differences(stored?.value.manifest ?? {}, next?.manifest ?? {});
  const action = next === null ? "destroy" : stored === null ? "create" : changes.length > 0 ? "update" : "none";
  const name = ladder?.manifest.ladder ?? String(stored?.value.manifest["ladder"] ?? "");
  (draft.plan.changes as PlannedChange[]).push({
    kind: "ladder",
    space,
    name,
    action,
    changes: [...changes],
    source: null,
    build: null,
    file: ladder?.file ?? "",
    warnings: [],
  });
  draft.conditions.push(unchanged(key, stored));
  if (action === "none") return;
  draft.changes.push(next === null ? remove(key) : put(key, next));
  draft.events.push({
    kind: `ladder.${action === "destroy" ? "removed" : "changed"}`,
    app: null,
    message: `ladder "${name}" is ${action === "destroy" ? "removed" : "in force"}`,
  });
}

/** A password that is not there would be found out when somebody is to be told: the worst moment. */
function missingSecret({ secrets }: OperationContext, { space, ladder }: Declared): readonly FoundProblem[] {
  const name = ladder?.manifest.mail?.password;
  if (ladder === null || name === undefined || secrets.latest(space, name) !== null) return [];
  const path = ["mail", "password"];
  const wanted = `a secret of space "${space}": set it first with \`drover secret set ${name} --space ${space}\``;
  const { file, place } = ladder;
  return [
    { kind: "invalid", file, ...place(path), path: path.join("."), found: `secret "${name}", which is not set`, wanted, nearest: null },
  ];
}
