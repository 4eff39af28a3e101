import type { Space } from "#model/app.ts";
import type { LogScope } from "#model/log-event.ts";
import { type DestinationManifest, receivers } from "#model/log-shipping-schemas.ts";
import { reservedSpace, type SpaceName } from "#model/names.ts";

/** Where lines are sent, as a space declares it. */
export interface Destination {
  readonly space: SpaceName;
  readonly name: string;
  readonly kind: (typeof receivers)[number];
  /** The address as people write it. */
  readonly to: string;
  readonly manifest: DestinationManifest;
  readonly sinceMs: number;
  readonly scope: LogScope;
  readonly query: string;
}

export function destinationsOf({ name: space, logs, shipsSinceMs, createdAtMs }: Space): readonly Destination[] {
  return Object.entries(logs?.ship ?? {}).map(([name, manifest]) => {
    const kind = receivers.find((one) => manifest[one] !== undefined) ?? "http";
    return {
      space,
      name,
      kind,
      to: manifest[kind] ?? "",
      manifest,
      sinceMs: shipsSinceMs?.[name] ?? createdAtMs,
      scope: scopeOf(space, manifest),
      query: manifest.search ?? "",
    };
  });
}

function scopeOf(space: SpaceName, { apps, from }: DestinationManifest): LogScope {
  const own = `${reservedSpace}/`;
  if (from?.spaces === "all") return { of: [""], except: from.own ? [] : [own] };
  const spaces = [...new Set([space, ...(from?.spaces ?? [])])];
  const of = apps === undefined ? spaces.map((one) => `${one}/`) : apps.map((app) => `${space}/${app}/`);
  return { of: from?.own === true ? [...of, own] : of, except: [] };
}
