import type { MachineId, PoolName, SpaceName } from "./names.ts";

/** A set of like machines of a space, and who makes them. Plain JSON. */
export interface Pool {
  readonly space: SpaceName;
  readonly name: PoolName;
  /** How many machines there should be. */
  readonly machines: number;
  /** How many of them have to stay well while Drover acts on another one. */
  readonly healthy: number;
  readonly provider: PoolProvider;
}

/** What a provider is asked to do. `list` is the one that answers; what the others did shows in the list. */
export const providerVerbs = ["list", "create", "destroy", "converge", "power"] as const;
export type ProviderVerb = (typeof providerVerbs)[number];

/** Command lines of the user, run by `sh` at an agent; null: the provider has no such ability. */
export interface PoolProvider {
  readonly kind: "command";
  readonly commands: { readonly [Verb in ProviderVerb]: Verb extends "list" | "create" | "destroy" ? string : string | null };
  readonly env: Readonly<Record<string, string>>;
  /** Names of the space's secrets that its commands get in their environment. */
  readonly secrets: readonly string[];
  /** How often its list is asked for. */
  readonly everyMs: number;
  /** How long the list may take. */
  readonly timeoutMs: number;
}

/** A machine as its provider tells of it. */
export interface ProvidedMachine {
  readonly name: MachineId;
  /** Where checks reach it; null while it has none. */
  readonly address: string | null;
  /** `changing`: on its way up or down. */
  readonly power: "on" | "off" | "changing";
}

/** Whether the machine has a name as the pool's machines have. */
export function isOfPool(machine: MachineId, pool: PoolName): boolean {
  return machine.startsWith(`${pool}-`) && /^\d+$/.test(machine.slice(pool.length + 1));
}

/** Names of the machines that a pool should have: `web-1`, `web-2`. They are chosen here and not by the provider, so that making one twice makes one. */
export function machinesOf({ name, machines }: Pick<Pool, "name" | "machines">): readonly MachineId[] {
  return Array.from({ length: machines }, (_, i) => `${name}-${i + 1}` as MachineId);
}
