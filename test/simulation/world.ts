import { SimulatedEngine, type SimulatedStart, simulatedMachine } from "../../src/agent/engines/testing/simulated-engine.ts";
import { createLog } from "../../src/host/log.ts";
import { VirtualClock } from "../../src/host/testing/virtual-clock.ts";
import { type App, type DroverEvent, isBeingDestroyed, type ProcessSpec, type Release, type ReleaseSpec } from "../../src/model/app.ts";
import { DroverError } from "../../src/model/errors.ts";
import type { DeployManifest } from "../../src/model/manifest.ts";
import type { AppName, InstanceId, MachineId, ProcessName, SpaceName } from "../../src/model/names.ts";
import type { Workload } from "../../src/model/workload.ts";
import { type Core, startCore } from "../../src/server/controllers/core.ts";
import type { EventLog, NewEvent } from "../../src/server/events/event-log.ts";
import type { AgentPeer, EdgePeer } from "../../src/server/fleet/peers.ts";
import { keys, objects, put, unchanged } from "../../src/server/objects/objects.ts";
import { createMemoryJournal, type MemoryJournal } from "../../src/server/store/memory-journal.ts";
import { openMemoryStore } from "../../src/server/store/memory-store.ts";
import type { Change, Condition, Store } from "../../src/server/store/store.ts";
import { SeededRandom } from "./random.ts";
import { SimulatedEdge } from "./simulated-edge.ts";
import { simulatedPeer } from "./simulated-peer.ts";

export const space = "sim" as SpaceName;
export const web = "web" as ProcessName;

/** What the processes of a release do; its command line says it. */
export type Temper = "good" | "slow" | "never-ready" | "crashes" | "before-fails" | "crashes-later";

const tempers: Readonly<Record<Temper, (attempt: number) => Partial<SimulatedStart>>> = {
  good: () => ({}),
  slow: () => ({ startMs: 200, readyMs: 2_000, stopMs: 500 }),
  "never-ready": () => ({ readyMs: null }),
  crashes: () => ({ readyMs: null, exitAfterMs: 30, exitCode: 3 }),
  "before-fails": () => ({}),
  "crashes-later": (attempt) => (attempt === 0 ? { exitAfterMs: 5_000, exitCode: 1 } : {}),
};

export const defaultDeploy: DeployManifest = {
  strategy: "rolling",
  surge: { share: 0.25 },
  steps: [0.1, 0.5],
  hold: 5_000,
  deadline: 20_000,
};

/** What a new release of an app is. */
export interface Deploy {
  readonly temper: Temper;
  readonly deploy: DeployManifest;
  readonly instances: number;
  readonly isFixedPort?: boolean;
  /** Apps that it calls. */
  readonly needs?: readonly AppName[];
}

/** Faults that strike while a server lives. */
export interface Faults {
  /** Share of store commits and orders at which the server dies, before or after. */
  readonly death: number;
  /** Share of orders that fail although the agent lives. */
  readonly refusal: number;
}

/**
 * A whole Drover in one process: the real planners, controllers and store, with the clock, the processes, the edge and the links simulated. The
 * store's journal, the engine and the edge outlive the server, as in life.
 */
export class World {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly engine: SimulatedEngine;
  readonly edge: SimulatedEdge;
  readonly trace: string[] = [];
  readonly events: NewEvent[] = [];
  /** Instances whose process ended by itself or by a fault; emptied by the checker. */
  readonly exited = new Set<InstanceId>();
  faults: Faults = { death: 0, refusal: 0 };
  #journal: MemoryJournal;
  #server: { readonly core: Core; readonly store: Store; readonly stop: AbortController; isDead: boolean } | null = null;
  #agentLink: AbortController | null = null;
  #edgeLink: AbortController | null = null;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    const engineRandom = new SeededRandom(seed ^ 0x5eed);
    this.#journal = createMemoryJournal(engineRandom.next);
    this.engine = new SimulatedEngine({
      machine: simulatedMachine(),
      clock: this.clock,
      random: engineRandom.next,
      behaviour: (workload, attempt) => this.#behaviour(workload, attempt),
      onExit: (instance) => this.exited.add(instance),
    });
    this.edge = new SimulatedEdge(this.clock, () => (engineRandom.chance(0.3) ? engineRandom.between(1, 3_000) : 0));
  }

  get core(): Core | null {
    return this.#server !== null && !this.#server.isDead ? this.#server.core : null;
  }

  get store(): Store {
    if (this.#server === null) throw new Error("no server was started yet");
    return this.#server.store;
  }

  get isLinked(): boolean {
    return this.#agentLink !== null && this.#edgeLink !== null && this.core !== null;
  }

  /** Starts a server on what the last one left. */
  async startServer(): Promise<void> {
    if (this.core !== null) return;
    if (this.#server !== null) this.#journal = this.#journal.reopened();
    const store = openMemoryStore({ random: this.random.next, journal: this.#journal, defer: queueMicrotask });
    const stop = new AbortController();
    const server = { store, stop, isDead: false, core: null as unknown as Core };
    const serverRandom = new SeededRandom(this.random.between(0, 2 ** 31));
    this.#server = server;
    server.core = startCore(
      {
        store: this.#mortalStore(store),
        events: this.#eventLog(),
        secrets: { ...noSecrets },
        clock: this.clock,
        random: serverRandom.next,
        log: createLog({ print: (line) => this.trace.push(line), nowMs: () => this.clock.nowMs(), least: "error" }),
      },
      stop.signal,
    );
    this.note("server starts");
    this.linkAgent();
    this.linkEdge();
    await this.settle();
  }

  async killServer(): Promise<void> {
    const server = this.#server;
    if (server === null || server.isDead) return;
    this.#die();
    await this.settle();
  }

  linkAgent(): void {
    const server = this.#server;
    if (server === null || server.isDead || this.#agentLink !== null) return;
    this.#agentLink = new AbortController();
    server.core.agentLinked(this.#agentPeer(this.#agentLink));
  }

  linkEdge(): void {
    const server = this.#server;
    if (server === null || server.isDead || this.#edgeLink !== null) return;
    this.#edgeLink = new AbortController();
    server.core.edgeLinked(this.#edgePeer(this.#edgeLink));
  }

  cutAgent(): void {
    this.#agentLink?.abort(new Error("the link was cut"));
    this.#agentLink = null;
  }

  cutEdge(): void {
    this.#edgeLink?.abort(new Error("the link was cut"));
    this.#edgeLink = null;
  }

  /** Lets everything that can happen at this moment happen. */
  readonly settle = async (): Promise<void> => {
    for (let turns = 0; turns < 4 || ((this.core?.busy() ?? 0) > 0 && turns < 40); turns++)
      await new Promise((resolve) => setImmediate(resolve));
  };

  note(what: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(3)} ${what}`);
  }

  // What the API does.

  app(name: AppName): App | null {
    return objects.app(this.store, space, name)?.value ?? null;
  }

  releases(name: AppName): readonly Release[] {
    return objects.releases(this.store, space, name).map(({ value }) => value);
  }

  /** Declares the app with a new release; one that is being destroyed begins anew once nothing is left of it. */
  async deploy(name: AppName, { temper, deploy, instances, isFixedPort = false, needs = [] }: Deploy): Promise<void> {
    this.note(`deploy ${name} ${temper} ${deploy.strategy} ${instances}, needs ${needs.join() || "nothing"}`);
    const stored = objects.app(this.store, space, name);
    const living = stored === null || isBeingDestroyed(stored.value) ? newApp(name, this.clock.nowMs()) : stored.value;
    const number = (stored?.value.lastRelease ?? 0) + 1;
    const release: Release = {
      number,
      space,
      app: name,
      spec: specOf(temper, isFixedPort, needs),
      state: "pending",
      failure: null,
      createdAtMs: this.clock.nowMs(),
      cause: "push",
    };
    const app: App = {
      ...living,
      ...(stored?.value.destroying === true ? { destroying: true, recreate: true } : {}),
      deploy,
      instances: { [web]: instances },
      lastRelease: number,
      target: number,
    };
    await this.#write(
      [put(keys.app(space, name), app), put(keys.release(space, name, number), release)],
      [unchanged(keys.app(space, name), stored)],
    );
  }

  async change(name: AppName, next: Partial<App>): Promise<void> {
    const stored = objects.app(this.store, space, name);
    if (stored === null) return;
    this.note(`change ${name} ${JSON.stringify(next)}`);
    await this.#write([put(stored.key, { ...stored.value, ...next })], [unchanged(stored.key, stored)]);
  }

  async #write(changes: Change[], conditions: Condition[]): Promise<void> {
    try {
      await this.store.commit({ conditions, changes });
    } catch (error) {
      if (!(error instanceof DroverError && error.code === "CONFLICT")) throw error;
      this.note("conflict");
    }
  }

  #behaviour(workload: Workload, attempt: number): SimulatedStart {
    const temper = ("shell" in workload.command ? workload.command.shell : "good") as Temper;
    if (workload.kind === "task")
      return { startMs: 5, readyMs: null, exitAfterMs: 300, exitCode: temper === "before-fails" ? 1 : 0, stopMs: 5 };
    return { startMs: 5, readyMs: 20, exitAfterMs: null, exitCode: 0, stopMs: 5, ...tempers[temper](attempt) };
  }

  #die(): void {
    const server = this.#server;
    if (server === null || server.isDead) return;
    server.isDead = true;
    this.note("server dies");
    this.cutAgent();
    this.cutEdge();
    server.stop.abort(new Error("the server died"));
  }

  /** Runs one act of the server; it may die before it or after it, and what comes after its death does not happen. */
  async #mortal<T>(what: string, act: () => Promise<T>): Promise<T> {
    const server = this.#server;
    const dead = () => new Error("this server is dead");
    if (server === null || server.isDead) throw dead();
    if (this.random.chance(this.faults.death / 2)) this.#die();
    if (server.isDead) throw dead();
    this.note(what);
    const result = await act();
    if (!server.isDead && this.random.chance(this.faults.death / 2)) this.#die();
    if (server.isDead) throw dead();
    return result;
  }

  #mortalStore(store: Store): Store {
    const commit: Store["commit"] = (transaction) =>
      this.#mortal(`commit ${transaction.changes.map((change) => `${change.kind} ${change.key}`).join(", ")}`, () =>
        store.commit(transaction),
      );
    return new Proxy(store, {
      get: (target, key) => {
        if (key === "commit") return commit;
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #order(what: string, act: () => Promise<void>): Promise<void> {
    return this.#mortal(what, async () => {
      if (this.random.chance(this.faults.refusal)) throw new Error("the agent could not");
      await act();
    });
  }

  #agentPeer(link: AbortController): AgentPeer {
    const order = (what: string, act: () => Promise<void>) => this.#order(what, act);
    return simulatedPeer({ engine: this.engine, machine: "m1" as MachineId, link, order });
  }

  #edgePeer(link: AbortController): EdgePeer {
    const { edge } = this;
    return {
      machine: "m1" as MachineId,
      isLeaving: false,
      putChecks: async () => {},
      checkReports: async function* () {},
      runCheck: async () => null,
      gone: link.signal,
      revision: async () => edge.revision,
      problems: async () => [],
      routes: async () => [...edge.routes.values()],
      setDoor: async (isPublic) => isPublic,
      putTable: (table) => this.#mortal(`table ${table.revision}`, async () => edge.putTable(table)),
      patchTable: (patch) => this.#mortal(`patch ${patch.revision}`, async () => edge.patchTable(patch)),
      certificates: async () => ({ certificates: {}, challenges: "", ticketKeys: "" }),
      patchCertificates: async () => {},
      restart: () => {
        throw new Error("not simulated");
      },
      // Nothing is held in the simulation: its apps always have instances.
      wanted: async function* () {},
      program: async () => null,
      draining: (signal) => edge.draining(signal),
      traffic: async () => edge.traffic,
      close: () => link.abort(new Error("closed")),
    };
  }

  #eventLog(): EventLog {
    return {
      append: (event) => {
        this.events.push(event);
        this.note(`event ${event.kind}: ${event.message}`);
        return { ...event, sequence: this.events.length, atMs: this.clock.nowMs() } as DroverEvent;
      },
      query: () => [],
      follow: () => {
        throw new Error("not simulated");
      },
      oldestAtMs: () => null,
      close: async () => {},
    };
  }
}

const noSecrets = {
  list: () => [],
  versions: () => [],
  latest: () => null,
  holds: () => false,
  reveal: () => {
    throw new Error("there are no secrets");
  },
  set: () => {
    throw new Error("there are no secrets");
  },
  unset: () => {
    throw new Error("there are no secrets");
  },
};

function newApp(name: AppName, nowMs: number): App {
  return {
    name,
    space,
    manifest: {},
    manual: { env: {}, instances: {} },
    instances: {},
    routes: [{ host: `${name}.sim.localhost`, path: "/", to: web }],
    deploy: defaultDeploy,
    lastRelease: 0,
    target: null,
    active: null,
    stopped: false,
    destroying: false,
    restartToken: "",
    servicePorts: { [web]: servicePort(name) },
    createdAtMs: nowMs,
  };
}

/** Where other apps call this one. */
export function servicePort(name: string): number {
  return 30_000 + Number(name.replace(/\D/g, "") || 0);
}

function specOf(temper: Temper, isFixedPort: boolean, needs: readonly AppName[]): ReleaseSpec {
  const process: ProcessSpec = {
    run: temper,
    port: isFixedPort ? 8_000 : "auto",
    protocol: "http",
    resources: { cpu: null, memoryBytes: null, pids: 512 },
    ready: null,
    alive: null,
  };
  return {
    artifact: null,
    processes: { [web]: process },
    env: {},
    secrets: {},
    needs: Object.fromEntries(needs.map((name) => [name, { port: servicePort(name), protocol: "http" }])),
    volumes: [],
    before: temper === "before-fails" || temper === "slow" ? { run: temper, timeoutMs: 10_000 } : null,
    stop: { signal: "SIGTERM", drainMs: 2_000, graceMs: 1_000 },
  };
}
