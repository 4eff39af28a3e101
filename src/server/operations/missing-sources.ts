import { isBeingDestroyed } from "#model/app.ts";
import type { DestinationManifest } from "#model/log-shipping-schemas.ts";
import type { SpaceName } from "#model/names.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";

/** Apps of a space that are there to stay. */
export function livingApps(store: Store, space: SpaceName): ReadonlySet<string> {
  return new Set(objects.apps(store, space).flatMap(({ value }) => (isBeingDestroyed(value) ? [] : [value.name])));
}

/** Whose lines a destination of the space would get, and who is not there, or not yet. @param known apps that the space has */
export function missingSources(
  store: Store,
  space: SpaceName,
  { apps, from }: Pick<DestinationManifest, "apps" | "from">,
  known: ReadonlySet<string> = livingApps(store, space),
): { readonly apps: readonly string[]; readonly spaces: readonly string[] } {
  const spaces = from?.spaces === undefined || from.spaces === "all" ? [] : from.spaces;
  return {
    apps: (apps ?? []).filter((app) => !known.has(app)),
    spaces: spaces.filter((one) => one !== space && objects.space(store, one) === null),
  };
}
