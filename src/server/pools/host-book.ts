import type { MachineId } from "#model/names.ts";
import type { Pool } from "#model/pool.ts";
import { put, unchanged } from "../objects/objects.ts";
import { type FreedHost, type PoolHost, type PoolHosts, poolHostsKeys, readPoolHosts } from "../objects/pool-hosts.ts";
import { transact } from "../operations/transact.ts";
import type { Store } from "../store/store.ts";

/** Notes in the store which host of a pool's list is which of its machines, so that no two are the same one, whoever is killed meanwhile. */
export interface HostBook {
  /** The host that a machine is or is becoming; null: none. */
  of(machine: MachineId): PoolHost | null;
  /** Machines that were made, with their hosts. */
  made(): readonly (readonly [MachineId, string])[];
  /** Hosts of the list that are no machine and are becoming none. */
  spare(): readonly string[];
  /** The machine of which Drover may still be on a host that was freed; null: of none. */
  leftOn(host: string): MachineId | null;
  /**
   * The host that a machine is to become: its own, else the first of the list that was none yet, else the one that was freed longest ago.
   * @param tried hosts that did not become one just now; its own is freed when it is among them and there is another
   * @returns null: there is no other
   */
  claim(machine: MachineId, tried: ReadonlySet<string>): Promise<string | null>;
  /** The machine is this host of the list, and was made. */
  take(machine: MachineId, host: string): Promise<void>;
  /** What was claimed has become the machine. */
  settle(machine: MachineId): Promise<void>;
  /** The machine is no more. @param isWiped whether nothing of Drover is on its host any more */
  free(machine: MachineId, isWiped: boolean): Promise<void>;
  /** Nothing of Drover is left on a host that was freed. */
  wiped(host: string): Promise<void>;
}

const nothing: PoolHosts = { machines: {}, freed: [] };

export function openHostBook(store: Store, { space, name }: Pool, list: readonly string[]): HostBook {
  const key = poolHostsKeys.pool(space, name);
  const now = () => readPoolHosts(store, space, name)?.value ?? nothing;
  const change = async <T extends object>(draft: (now: PoolHosts) => T & { readonly next: PoolHosts }): Promise<T> =>
    transact(store, null, () => {
      const stored = readPoolHosts(store, space, name);
      const before = stored?.value ?? nothing;
      const { next, ...answer } = draft(before);
      const changes = next === before ? [] : [put(key, next)];
      return { answer: answer as unknown as T, conditions: [unchanged(key, stored)], changes };
    });
  const spareOf = ({ machines, freed }: PoolHosts) => {
    const taken = new Set(Object.values(machines).map(({ host }) => host));
    const before = freed.map(({ host }) => host).filter((host) => list.includes(host));
    return [...list.filter((host) => !before.includes(host)), ...before].filter((host) => !taken.has(host));
  };
  return {
    of: (machine) => now().machines[machine] ?? null,
    made: () =>
      Object.entries(now().machines).flatMap(([machine, { host, isMade }]) => (isMade ? [[machine as MachineId, host] as const] : [])),
    spare: () => spareOf(now()),
    leftOn: (host) => now().freed.find((one) => one.host === host)?.left ?? null,
    claim: async (machine, tried) => {
      const { host } = await change((before) => {
        const own = before.machines[machine];
        if (own !== undefined && !tried.has(own.host)) return { host: own.host, next: before };
        const other = spareOf(before).find((one) => !tried.has(one));
        if (other === undefined) return { host: null, next: before };
        const freed = own === undefined ? before.freed : add(before.freed, { host: own.host, left: machine });
        return { host: other, next: { machines: { ...before.machines, [machine]: { host: other, isMade: false } }, freed } };
      });
      return host;
    },
    take: async (machine, host) => {
      await change((before) => ({
        next: {
          machines: { ...before.machines, [machine]: { host, isMade: true } },
          freed: before.freed.filter((one) => one.host !== host),
        },
      }));
    },
    settle: async (machine) => {
      await change((before) => {
        const own = before.machines[machine];
        if (own === undefined) return { next: before };
        return {
          next: {
            machines: { ...before.machines, [machine]: { ...own, isMade: true } },
            freed: before.freed.filter(({ host }) => host !== own.host),
          },
        };
      });
    },
    free: async (machine, isWiped) => {
      await change((before) => {
        const { [machine]: own, ...machines } = before.machines;
        if (own === undefined) return { next: before };
        return { next: { machines, freed: add(before.freed, { host: own.host, left: isWiped ? null : machine }) } };
      });
    },
    wiped: async (host) => {
      await change((before) => ({
        next: { ...before, freed: before.freed.map((one) => (one.host === host ? { host, left: null } : one)) },
      }));
    },
  };
}

function add(freed: readonly FreedHost[], one: FreedHost): readonly FreedHost[] {
  return [...freed.filter(({ host }) => host !== one.host), one];
}
