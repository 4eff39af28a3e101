import type { App } from "#model/app.ts";
import type { Ladder } from "#model/ladder.ts";
import { ladderManifest } from "#model/ladder-schemas.ts";
import type { SpaceName } from "#model/names.ts";
import { type AppDeclares, compileLadder } from "#plan/ladder-manifest/compile.ts";
import { declaresOf } from "../manifests/ladder-documents.ts";
import { ladderObjects, type StoredLadder } from "../objects/ladder-objects.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import { hasChecks } from "./has-checks.ts";

/** By objects of the store, which never change: what was read of one once stands. */
const declares = new WeakMap<App, AppDeclares>();
const compiled = new WeakMap<StoredLadder | AppDeclares, { readonly key: readonly unknown[]; readonly ladder: Ladder }>();

/** The ladder of a space with the checks of its apps; null when nothing in it is checked. */
export function spaceLadder(store: Store, space: SpaceName): Ladder | null {
  const stored = ladderObjects.ladder(store, space)?.value ?? null;
  const apps = objects.apps(store, space).flatMap(({ value }) => (hasChecks(value) && !value.destroying ? [declaresOnce(value)] : []));
  const first = stored ?? apps[0];
  if (first === undefined) return null;
  const key = [stored, ...apps];
  const known = compiled.get(first);
  if (known !== undefined && known.key.length === key.length && known.key.every((one, i) => one === key[i])) return known.ladder;
  const ladder = compileLadder(stored === null ? null : ladderManifest.parse(stored.manifest), apps);
  compiled.set(first, { key, ladder });
  return ladder;
}

function declaresOnce(app: App): AppDeclares {
  let known = declares.get(app);
  if (known === undefined) declares.set(app, (known = declaresOf(app.name, app.manifest)));
  return known;
}
