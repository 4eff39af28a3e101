import { errorFields } from "#host/log.ts";
import type { App } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type AppId, appId, type MachineId } from "#model/names.ts";
import { anywhere, planPlacement } from "#plan/placement/plan-placement.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { listMembers } from "../members/members.ts";
import { keys, put, read, remove, unchanged } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { Narrator } from "./narrator.ts";
import type { AppObjects } from "./steps.ts";

interface Home {
  readonly machine: MachineId;
}

export interface AppHomesOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly narrator: Narrator;
  readonly log: Log;
}

/**
 * Which machine has an app's volumes. What an app has written is on one machine, so an app with volumes runs there and nowhere else, and waits while that
 * machine is away: an empty folder on another one would look like lost data.
 */
export class AppHomes {
  readonly #options: AppHomesOptions;

  constructor(options: AppHomesOptions) {
    this.#options = options;
  }

  /** The machine that the app is bound to; null if it may run anywhere. Chosen and written down before anything of an app with volumes starts. */
  async of({ app: { value: app }, releases }: AppObjects, signal: AbortSignal): Promise<MachineId | null> {
    const { store, fleet } = this.#options;
    const hasVolumes = [app.active, app.target].some(
      (number) => number !== null && (releases.get(number)?.value.spec.volumes.length ?? 0) > 0,
    );
    // Before other machines join there is one that everything is on, which needs no writing down.
    if (!hasVolumes || !fleet.isKnown || listMembers(store).length === 0) return null;
    const key = keys.home(app.space, app.name);
    const kept = read<Home>(store, key);
    if (kept !== null) return kept.value.machine;
    const machine = this.#choose(app);
    if (machine === null) return null;
    signal.throwIfAborted();
    await store.commit({ conditions: [unchanged(key, null)], changes: [put(key, { machine } satisfies Home)] });
    return machine;
  }

  /** Where it runs, or ran before there were others; else where there is most room. */
  #choose(app: App): MachineId | null {
    const { fleet } = this.#options;
    const [running] = fleet.workloads(appId(app.space, app.name));
    if (running !== undefined) return running.machine;
    const own = fleet.machines().find(({ isRemote }) => !isRemote);
    if (app.active !== null && own !== undefined) return own.id;
    const rules = { ...anywhere, ...app.place };
    const resources = { cpu: null, memoryBytes: null, pids: 0 };
    const [placed] = planPlacement([{ name: app.name, more: 1, resources, beside: new Map(), rules }], fleet.rooms());
    return placed?.on.keys().next().value ?? null;
  }

  /** Removes what a destroyed app leaves on its machines. On one that is away it is removed when that is back; until then it is written down. */
  async forget(app: App, signal: AbortSignal): Promise<void> {
    const { store, fleet } = this.#options;
    const id = appId(app.space, app.name);
    const agents = fleet.agents();
    if (agents.length === 0) throw new DroverError("CLUSTER_UNREACHABLE", "its volumes go once its agent is linked");
    const there = new Set(agents.map(({ machine }) => machine));
    const machines = [...fleet.machines().map((machine) => machine.id), ...listMembers(store).map(({ name }) => name)];
    const away = [...new Set(machines)].filter((machine) => !there.has(machine));
    const changes = [...away.map((machine) => put(keys.leftover(machine, id), {})), remove(keys.home(app.space, app.name))];
    if (away.length > 0 || store.get(keys.home(app.space, app.name)) !== null) await store.commit({ conditions: [], changes });
    await Promise.all(agents.map((agent) => this.#forgetAt(agent, id, signal)));
  }

  /** The machine is back: removes what apps have left there that were destroyed meanwhile. */
  async cleanUp(agent: AgentPeer, signal: AbortSignal): Promise<void> {
    const { store, fleet, log } = this.#options;
    const prefix = keys.leftovers(agent.machine);
    for (const { key } of store.list(prefix)) {
      const id = key.slice(prefix.length) as AppId;
      try {
        // An app of that name that was made since waits for this: its workloads, if any, are of the old one.
        if (fleet.workloads(id).some(({ machine }) => machine === agent.machine)) continue;
        await this.#forgetAt(agent, id, signal);
        await store.commit({ conditions: [], changes: [remove(key)] });
      } catch (error) {
        if (signal.aborted) return;
        log.warn("what a destroyed app has left is not removed; it is tried again when the machine links", {
          machine: agent.machine,
          app: id,
          ...errorFields(error),
        });
      }
    }
  }

  async #forgetAt(agent: AgentPeer, id: AppId, signal: AbortSignal): Promise<void> {
    try {
      await agent.forgetApp(id, signal);
    } catch (error) {
      // An agent from before there was such a call. It will not learn it by being asked again, so the app must not wait for it.
      const isUnknown = error instanceof DroverError && (error.code === "ROUTE_UNKNOWN" || error.code === "METHOD_NOT_ALLOWED");
      if (!isUnknown) throw error;
      const [space = "", name = ""] = id.split("/");
      this.#options.narrator.filesKept({ space, name }, agent.machine);
    }
  }
}
