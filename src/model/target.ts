import type { AppName, MachineId, PoolName } from "./names.ts";

/** What a level acts on and a check looks at. From the widest to the narrowest. */
export const scopes = ["space", "pool", "machine", "app"] as const;
export type Scope = (typeof scopes)[number];

/** `space`, `pool/web`, `machine/m1` or `app/shop`: text, because it is a key everywhere and people read it. */
export type Target = "space" | `pool/${string}` | `machine/${string}` | `app/${string}`;

export function scopeOf(target: Target): Scope {
  const slash = target.indexOf("/");
  return (slash === -1 ? target : target.slice(0, slash)) as Scope;
}

/** `m1` of `machine/m1`; empty for the space. */
export function nameOf(target: Target): string {
  const slash = target.indexOf("/");
  return slash === -1 ? "" : target.slice(slash + 1);
}

/** 0 for the space, 3 for an app: the smaller, the wider. */
export function rankOf(target: Target): number {
  return scopes.indexOf(scopeOf(target));
}

/** What there is in a space, as far as escalations are concerned. */
export interface Topology {
  readonly pools: readonly { readonly name: PoolName; readonly minHealthy: number }[];
  readonly machines: readonly {
    readonly name: MachineId;
    readonly pool: PoolName | null;
    /** Apps that have instances there, or had until it failed: what a redeploy of this machine means. */
    readonly apps: readonly AppName[];
  }[];
  readonly apps: readonly AppName[];
}
