import type { DroverError } from "./errors.ts";
import type { MachineId, PoolName, SpaceName } from "./names.ts";

/** A set of like machines of a space, and who makes them. Plain JSON. */
export interface Pool {
  readonly space: SpaceName;
  readonly name: PoolName;
  /** How many machines there should be. */
  readonly machines: number;
  /** Which, where rules say how many; left out: the first so many. */
  readonly names?: readonly MachineId[];
  /** Null: as many as was said, whatever they have to do. */
  readonly rules: PoolRules | null;
  /** How many of them have to stay well while Drover acts on another one. */
  readonly healthy: number;
  readonly provider: PoolProvider;
}

/** What a provider is asked to do. `list` is the one that answers; what the others did shows in the list. */
export const providerVerbs = ["list", "create", "destroy", "converge", "power"] as const;
export type ProviderVerb = (typeof providerVerbs)[number];

/** How a pool follows its work. */
export interface PoolRules {
  readonly min: number;
  readonly max: number;
  /** How long instances wait for room before machines are added. */
  readonly waitMs: number;
  /** The share of what machines have that is reserved above which machines are added, and for how long it has to be. */
  readonly busyShare: number;
  readonly busyMs: number;
  /** How long a machine runs nothing before it goes; null: none does. */
  readonly idleMs: number | null;
  /** `ask`: people are told what is needed, and nothing is added. */
  readonly grow: "auto" | "ask";
}

/** Who makes the machines of a pool. */
export type PoolProvider = CommandPool | SshPool | RedfishPool;

interface PoolProviderCommons {
  /** Environment of the user's commands and scripts. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of the space's secrets that they get in their environment. */
  readonly secrets: readonly string[];
  /** How often its list is asked for. */
  readonly everyMs: number;
  /** How long the list may take. */
  readonly timeoutMs: number;
}

/** Command lines of the user, run by `sh` at an agent; null: the provider has no such ability. */
export interface CommandPool extends PoolProviderCommons {
  readonly kind: "command";
  readonly commands: { readonly [Verb in ProviderVerb]: Verb extends "list" | "create" | "destroy" ? string : string | null };
}

/** Hosts that are there, and are made machines over SSH by the server itself. */
export interface SshPool extends PoolProviderCommons {
  readonly kind: "ssh";
  /** As `parseTarget` reads them, without names; taken in this order. */
  readonly hosts: readonly string[];
  /** Name of the secret that has the private key; null: the server's own. */
  readonly key: string | null;
  /** Name of the secret that has the password for `sudo`; null: none is needed. */
  readonly sudo: string | null;
  /** A script for `sh` that a machine runs as root when it is converged, after Drover is there; null: there is none. */
  readonly converge: string | null;
  /** A command line, run by `sh` at an agent, that switches a host; null: nothing does. */
  readonly power: string | null;
  /** Options of `drover up` there. */
  readonly agentOptions: readonly string[];
}

/** Machines of metal that are there, and are switched by their management controllers. */
export interface RedfishPool extends PoolProviderCommons {
  readonly kind: "redfish";
  /** By number, from 1. */
  readonly machines: readonly {
    /** Of the controller: `https://HOST[:PORT]`, with the path of its system where it has several. */
    readonly bmc: string;
    /** Where the machine itself is reached. */
    readonly address: string;
  }[];
  /** Names of secrets. */
  readonly user: string;
  readonly password: string;
  /** PEM of the authority of the controllers' certificates; null: each is pinned when it is first seen. */
  readonly ca: string | null;
}

/** What a provider can do besides making machines and taking them away. */
export function abilitiesOf(provider: PoolProvider): { readonly converge: boolean; readonly power: boolean } {
  switch (provider.kind) {
    case "command":
      return { converge: provider.commands.converge !== null, power: provider.commands.power !== null };
    case "ssh":
      return { converge: true, power: provider.power !== null };
    case "redfish":
      return { converge: false, power: true };
    default:
      return provider satisfies never;
  }
}

/** Names of all secrets of the space that a provider needs. */
export function secretsOf(provider: PoolProvider): readonly string[] {
  return [...new Set([...provider.secrets, ...ownSecrets(provider)])];
}

function ownSecrets(provider: PoolProvider): readonly string[] {
  switch (provider.kind) {
    case "command":
      return [];
    case "ssh":
      return [provider.key, provider.sudo].filter((name) => name !== null);
    case "redfish":
      return [provider.user, provider.password];
    default:
      return provider satisfies never;
  }
}

/** Whether a machine that is destroyed and made again is another one, which joins by itself. Metal stays what it is, with what is on its disk. */
export function makesAnew({ kind }: PoolProvider): boolean {
  return kind !== "redfish";
}

/** A machine as its provider tells of it. */
export interface ProvidedMachine {
  readonly name: MachineId;
  /** Where checks reach it; null while it has none. */
  readonly address: string | null;
  /** `changing`: on its way up or down; `unknown`: nobody could say yet. */
  readonly power: "on" | "off" | "changing" | "unknown";
  /** Why nobody can say how this one is, while the others are known; left out: it is known. */
  readonly problem?: DroverError;
}

/** Whether the machine has a name as the pool's machines have. */
export function isOfPool(machine: MachineId, pool: PoolName): boolean {
  return machine.startsWith(`${pool}-`) && /^\d+$/.test(machine.slice(pool.length + 1));
}

/** Names of the machines that a pool should have: `web-1`, `web-2`. They are chosen here and not by the provider, so that making one twice makes one. */
export function machinesOf({ name, machines, names }: Pick<Pool, "name" | "machines" | "names">): readonly MachineId[] {
  return names ?? Array.from({ length: machines }, (_, i) => machineOf(name, i + 1));
}

/** @param number from 1 */
export function machineOf(pool: PoolName, number: number): MachineId {
  return `${pool}-${number}` as MachineId;
}
