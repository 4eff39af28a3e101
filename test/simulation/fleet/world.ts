import { SimulatedEngine, simulatedMachine } from "../../../src/agent/engines/testing/simulated-engine.ts";
import { leaseRoutes } from "../../../src/agent/lease-routes.ts";
import { createLog } from "../../../src/host/log.ts";
import { VirtualClock } from "../../../src/host/testing/virtual-clock.ts";
import { PeerSilent } from "../../../src/link/keep-alive.ts";
import type { LinkCall } from "../../../src/link/serve.ts";
import type { App, Place, Release } from "../../../src/model/app.ts";
import { DroverError, hasCode } from "../../../src/model/errors.ts";
import type { LeaseAnswer, LeaseRenewal } from "../../../src/model/lease.ts";
import type { AppName, MachineId, ProcessName } from "../../../src/model/names.ts";
import type { EngineChange, Instance } from "../../../src/model/workload.ts";
import { type Core, startCore } from "../../../src/server/controllers/core.ts";
import type { AgentPeer } from "../../../src/server/fleet/peers.ts";
import { type StandingChange, setStanding, standingOf } from "../../../src/server/members/standings.ts";
import { keys, objects, put, unchanged } from "../../../src/server/objects/objects.ts";
import { createMemoryJournal, type MemoryJournal } from "../../../src/server/store/memory-journal.ts";
import { openMemoryStore } from "../../../src/server/store/memory-store.ts";
import type { Store } from "../../../src/server/store/store.ts";
import { appAndRelease, nullEvents, refusingSecrets, space } from "../fixtures.ts";
import { SeededRandom } from "../random.ts";
import { simulatedPeer } from "../simulated-peer.ts";

/** A link that goes quiet is given up after so long, on either side: as in `link/keep-alive.ts`. */
const silentMs = new PeerSilent().silentMs;

interface Machine {
  readonly id: MachineId;
  readonly isRemote: boolean;
  readonly engine: SimulatedEngine;
  readonly lease: (renewal: LeaseRenewal) => Promise<LeaseAnswer>;
  isCut: boolean;
  link: AbortController | null;
  /** What was sent to it while it was cut off: some of it arrives when it is healed, after its link is long gone. */
  readonly late: (() => Promise<unknown>)[];
}

/**
 * A server and its machines in one process: the real planners, controllers, leases and store; the clock, the processes and the network are simulated.
 * A network that is cut swallows what is sent, or brings it later.
 */
export class FleetWorld {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly trace: string[] = [];
  readonly machines: readonly Machine[];
  #journal: MemoryJournal;
  #server: { readonly core: Core; readonly store: Store; readonly stop: AbortController } | null = null;

  readonly #lostAfterMs: number;

  /** @param remote machines beside the server's own */
  constructor(seed: number, remote: number, { lostAfterMs = 5_000 } = {}) {
    this.#lostAfterMs = lostAfterMs;
    this.random = new SeededRandom(seed);
    this.#journal = createMemoryJournal(this.random.next);
    this.machines = Array.from({ length: remote + 1 }, (_, i) => this.#machine(`m${i + 1}` as MachineId, i > 0));
  }

  #machine(id: MachineId, isRemote: boolean): Machine {
    const { clock } = this;
    const random = new SeededRandom(this.random.between(0, 2 ** 31)).next;
    const engine = new SimulatedEngine({
      machine: simulatedMachine(id),
      clock,
      random,
      isLeased: isRemote,
      behaviour: () => ({ startMs: 50, readyMs: 100, exitAfterMs: null, exitCode: 0, stopMs: 1_500 }),
    });
    const routes = leaseRoutes(engine, clock);
    // Of a call the route reads the body alone.
    const lease = async (body: LeaseRenewal) => (await routes["POST /lease"]?.({ body: async () => body } as LinkCall)) as LeaseAnswer;
    return { id, isRemote, engine, lease, isCut: false, link: null, late: [] };
  }

  get store(): Store {
    if (this.#server === null) throw new Error("no server was started yet");
    return this.#server.store;
  }

  get core(): Core {
    if (this.#server === null) throw new Error("no server was started yet");
    return this.#server.core;
  }

  get isServing(): boolean {
    return this.#server !== null && !this.#server.stop.signal.aborted;
  }

  async startServer(): Promise<void> {
    if (this.isServing) return;
    const isFirst = this.#server === null;
    if (!isFirst) this.#journal = this.#journal.reopened();
    const { clock, random } = this;
    const store = openMemoryStore({ random: random.next, journal: this.#journal, defer: queueMicrotask });
    const members = this.machines.filter(({ isRemote }) => isRemote);
    if (isFirst) await store.commit({ changes: members.map(({ id }) => put(keys.machine(id), { name: id, key: id, joinedAtMs: 0 })) });
    const stop = new AbortController();
    const log = createLog({ print: (line) => this.trace.push(line), nowMs: () => clock.nowMs(), least: "error" });
    const shared = {
      lostAfterMs: this.#lostAfterMs,
      events: nullEvents,
      secrets: refusingSecrets,
      clock,
      random: new SeededRandom(random.between(0, 2 ** 31)).next,
      log,
    };
    this.#server = { store, stop, core: startCore({ store, ...shared }, stop.signal) };
    this.note("server starts");
    for (const machine of this.machines) this.link(machine);
  }

  killServer(): void {
    if (!this.isServing) return;
    this.note("server dies");
    this.#server?.stop.abort(new Error("the server died"));
    for (const machine of this.machines) this.#unlink(machine, new Error("the server died"));
  }

  /** Its agent dials the server, as it does again and again. */
  link(machine: Machine): void {
    if (!this.isServing || machine.isCut || machine.link !== null) return;
    machine.link = new AbortController();
    this.note(`${machine.id} links`);
    this.#server?.core.agentLinked(this.#peer(machine, machine.link));
  }

  #unlink(machine: Machine, why: Error): void {
    machine.link?.abort(why);
    machine.link = null;
  }

  /** Nothing goes in or out any more; that its link is dead is noticed later. */
  cut(machine: Machine): void {
    if (machine.isCut) return;
    this.note(`${machine.id} is cut off`);
    machine.isCut = true;
    const { link } = machine;
    const gaveUp = () => {
      if (machine.link === link) this.#unlink(machine, new PeerSilent());
    };
    if (link !== null) void this.clock.sleep(silentMs, link.signal).then(gaveUp, () => {});
  }

  async heal(machine: Machine): Promise<void> {
    if (!machine.isCut) return;
    this.note(`${machine.id} is healed`);
    machine.isCut = false;
    for (const late of machine.late.splice(0)) {
      if (this.random.chance(0.5)) continue;
      this.note(`${machine.id} gets what was sent long ago`);
      try {
        await late();
      } catch (error) {
        // Refused, with nobody left to hear it.
        if (!hasCode(error, "ORDER_OUTDATED")) throw error;
      }
    }
    this.#unlink(machine, new Error("the connection was reset"));
    this.link(machine);
  }

  /** Brings a call to the machine and its answer back, each after a while; over a network that is cut it comes late or never. */
  async #carry<T>(machine: Machine, link: AbortController, what: string, act: () => Promise<T>): Promise<T> {
    const gone = new Promise<never>((_, reject) =>
      link.signal.addEventListener("abort", () => reject(new Error("the link is gone")), { once: true }),
    );
    const travel = () => Promise.race([gone, this.clock.sleep(this.random.between(0, 40), link.signal)]);
    // Of a link that ends after its call nobody has to hear.
    gone.catch(() => {});
    link.signal.throwIfAborted();
    await travel();
    if (machine.isCut) {
      machine.late.push(act);
      return gone;
    }
    this.note(`${machine.id} ${what}`);
    const answer = await act();
    await travel();
    return machine.isCut ? gone : answer;
  }

  #peer(machine: Machine, link: AbortController): AgentPeer {
    const { id, engine, isRemote } = machine;
    const order = (what: string, act: () => Promise<void>) => this.#carry(machine, link, what, act);
    const watch = async function* (signal: AbortSignal): AsyncGenerator<EngineChange> {
      for await (const change of engine.watch(AbortSignal.any([signal, link.signal]))) {
        // What is reported into a network that is cut is not seen; a new link begins with everything.
        if (machine.isCut)
          return new Promise<never>((_, reject) => link.signal.addEventListener("abort", () => reject(link.signal.reason), { once: true }));
        yield change;
      }
    };
    // An agent's answers do not depend on whether the server still waits for them: what was sent late is obeyed too.
    const apply: AgentPeer["apply"] = (workload) =>
      order(`apply ${workload.id} ${workload.count} at ${workload.revision}`, () => engine.apply(workload, never));
    const remove: AgentPeer["remove"] = (workload, revision) => order(`remove ${workload}`, () => engine.remove(workload, revision, never));
    const lease: AgentPeer["lease"] = (renewal) =>
      this.#carry(machine, link, `lease ${renewal.workloads.join()} from ${renewal.of}`, () => machine.lease(renewal));
    return { ...simulatedPeer({ engine, machine: id, link, order }), isRemote, watch, apply, remove, lease };
  }

  readonly settle = async (): Promise<void> => {
    for (let turns = 0; turns < 6 || ((this.#server?.core.busy() ?? 0) > 0 && turns < 40); turns++)
      await new Promise((resolve) => setImmediate(resolve));
  };

  note(what: string): void {
    this.trace.push(`${this.clock.monotonicMs().toFixed(3)} ${what}`);
  }

  instances(app: AppName): readonly Instance[] {
    return this.machines.flatMap(({ engine }) => engine.instances()).filter(({ workload }) => workload.startsWith(`${space}/${app}/`));
  }

  // What the API does.

  app(name: AppName): App | null {
    return objects.app(this.store, space, name)?.value ?? null;
  }

  /** Makes the app, or gives it another release. */
  async deploy(
    name: AppName,
    instances: number,
    { isOnlyOne = false, place = null }: { isOnlyOne?: boolean; place?: Place | null },
  ): Promise<void> {
    this.note(`deploy ${name}`);
    const stored = objects.app(this.store, space, name);
    const web = "web" as ProcessName;
    const number = (stored?.value.lastRelease ?? 0) + 1;
    const [app, release] = (appAndRelease(name, { instances, port: "none" }) as readonly { readonly value: Uint8Array }[]).map(
      ({ value }) => JSON.parse(Buffer.from(value).toString("utf8")),
    ) as [App, Release];
    const process = release.spec.processes[web];
    const spec = { ...release.spec, processes: { [web]: { ...process, ...(isOnlyOne ? { onlyOne: true } : {}) } } };
    await this.#write([
      unchanged(keys.app(space, name), stored),
      put(keys.app(space, name), { ...(stored?.value ?? app), place, lastRelease: number, target: number }),
      put(keys.release(space, name, number), { ...release, number, spec }),
    ]);
  }

  labels(machine: MachineId): Readonly<Record<string, string>> {
    return standingOf(this.store, machine).labels;
  }

  async change(name: AppName, next: Partial<App>): Promise<void> {
    const stored = objects.app(this.store, space, name);
    if (stored === null) return;
    this.note(`change ${name} ${JSON.stringify(next)}`);
    await this.#write([unchanged(stored.key, stored), put(stored.key, { ...stored.value, ...next })]);
  }

  async say(machine: Machine, standing: StandingChange): Promise<void> {
    this.note(`${machine.id} ${JSON.stringify(standing)}`);
    await setStanding(this.store, machine.id, standing, nullEvents);
  }

  async #write([condition, ...changes]: [ReturnType<typeof unchanged>, ...ReturnType<typeof put>[]]): Promise<void> {
    try {
      await this.store.commit({ conditions: [condition], changes });
    } catch (error) {
      if (!(error instanceof DroverError && error.code === "CONFLICT")) throw error;
      this.note("conflict");
    }
  }

  close(): void {
    this.killServer();
    for (const { engine } of this.machines) engine.close();
  }
}

const never = new AbortController().signal;
