import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { leaseStopMs } from "#model/lease.ts";
import type { Log } from "#model/log.ts";
import { type AppId, appId, type MachineId, type ProcessName, type WorkloadId } from "#model/names.ts";
import type { Held } from "#plan/rollout/only-one.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { KnownWorkload } from "../fleet/known.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { findMember, listMembers } from "../members/members.ts";
import { keys, put, read } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";

/** Leases last this many times as long as a machine may be silent before it is lost: what is merely slow, or a server that restarts, ends none. */
const leasesPerLoss = 3;
/** Renewals within a lease: several may be lost. */
const renewalsPerLease = 5;
/** What an agent's clock may run slower in a lease, and what killing takes beyond its time on a machine that is busy. */
const marginMs = 3_000;
/** A wait without an end, for who is woken. */
const untilWokenMs = 3_600_000;

export interface LeasesOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** Epoch milliseconds that do not jump while the server runs. */
  readonly steadyNowMs: () => number;
  /** How long a machine may be silent before it is lost. */
  readonly lostAfterMs: number;
  readonly log: Log;
}

/** How long leases are that servers before this one may have given. */
interface LeaseTerm {
  readonly ms: number;
}

interface Token {
  readonly text: string;
  /** Not before it was given. */
  readonly receivedAtMs: number;
}

interface Bell {
  isRung: boolean;
  woken: AbortController;
}

/**
 * Which machines may run what must never run twice, and until when those may that cannot be asked any more. Nothing of it is stored but how long leases
 * are: a server that starts takes it that every machine it has not heard of holds a lease that was given the moment before.
 */
export class Leases {
  readonly #options: LeasesOptions;
  readonly #signal: AbortSignal;
  readonly #leaseMs: number;
  /** Until when each machine may run a process at the most. */
  readonly #until = new Map<string, Map<MachineId, number>>();
  /** Until when a machine may run anything at the most by leases of servers before this one. */
  readonly #inherited = new Map<MachineId, number>();
  /** As the apps' last plans say. */
  readonly #holders = new Map<AppId, ReadonlyMap<ProcessName, MachineId>>();
  readonly #bells = new Map<MachineId, Bell>();
  /** What the store says of how long leases are, and until when longer ones of before may last. */
  #term: { readonly ms: number | null; readonly overAtMs: number };

  constructor(options: LeasesOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#leaseMs = options.lostAfterMs * leasesPerLoss;
    const ms = read<LeaseTerm>(options.store, keys.leaseTerm)?.value.ms ?? null;
    this.#term = { ms, overAtMs: options.steadyNowMs() + wholeMs(Math.max(ms ?? 0, this.#leaseMs)) };
    for (const { name } of listMembers(options.store)) this.#inherited.set(name, this.#term.overAtMs);
  }

  /** A machine that cannot be asked and may run the process, the one that may for longest; null if there is none. */
  held(app: AppId, process: ProcessName): Held | null {
    const { store, fleet, steadyNowMs } = this.#options;
    const nowMs = steadyNowMs();
    let held: Held | null = null;
    for (const ends of [this.#inherited, this.#until.get(keyOf(app, process))]) {
      for (const [machine, untilMs] of ends ?? []) {
        // A lease without an end ends with the machine's membership: people have said that it is gone.
        if (untilMs <= nowMs || (untilMs === Number.POSITIVE_INFINITY && findMember(store, machine) === null)) ends?.delete(machine);
        else if (fleet.agentOn(machine) === null && (held === null || untilMs > held.untilMs)) held = { machine, untilMs };
      }
    }
    return held;
  }

  /** Which machine may run each of the app's processes that must not run twice, from now on. Null: there is no such app. */
  assign(app: AppId, holders: ReadonlyMap<ProcessName, MachineId> | null): void {
    const before = this.#holders.get(app);
    if (holders === null || holders.size === 0) this.#holders.delete(app);
    else this.#holders.set(app, holders);
    for (const machine of new Set([...(before?.values() ?? []), ...(holders?.values() ?? [])])) this.wake(machine);
  }

  /** Something of the machine changed that leases depend on. */
  wake(machine: MachineId): void {
    const bell = this.#bells.get(machine);
    if (bell === undefined) return;
    bell.isRung = true;
    bell.woken.abort();
  }

  /** Renews the leases of a machine until its link is gone or the server stops. */
  async follow(peer: AgentPeer): Promise<void> {
    const { clock, log } = this.#options;
    const signal = AbortSignal.any([this.#signal, peer.gone]);
    const bell: Bell = { isRung: false, woken: new AbortController() };
    this.#bells.set(peer.machine, bell);
    let token: Token | null = null;
    let granted = "";
    let dueMs = 0;
    let isTooOld = false;
    try {
      while (!signal.aborted) {
        const leased = this.#leased(peer.machine);
        const names = leased.map(({ id }) => id).join();
        const leftMs = leased.length === 0 ? untilWokenMs : names === granted ? dueMs - clock.monotonicMs() : 0;
        if (leftMs > 0) {
          if (leased.length === 0) token = null;
          granted = names;
          await ring(bell, leftMs, clock, signal);
          continue;
        }
        try {
          await this.#noteTerm();
          const next: Token | null = await this.#renew(peer, token, leased, signal);
          if (next === null && !isTooOld) log.warn("agent too old for leases", { machine: peer.machine });
          isTooOld = next === null;
          const isFirst = token === null;
          token = next;
          if (isFirst && next !== null) continue;
        } catch (error) {
          if (signal.aborted) return;
          log.warn("leases not renewed", { machine: peer.machine, ...errorFields(error) });
        }
        granted = names;
        dueMs = clock.monotonicMs() + this.#leaseMs / renewalsPerLease;
      }
    } finally {
      if (this.#bells.get(peer.machine) === bell) this.#bells.delete(peer.machine);
    }
  }

  /** @returns null where the agent is too old to know of leases. */
  async #renew(peer: AgentPeer, token: Token | null, leased: readonly KnownWorkload[], signal: AbortSignal): Promise<Token | null> {
    const { steadyNowMs } = this.#options;
    const workloads: WorkloadId[] = token === null ? [] : leased.map(({ id }) => id);
    // Before it is sent: whether it arrived is not known when no answer comes.
    if (token !== null) for (const one of leased) this.#extend(one, peer.machine, token.receivedAtMs + wholeMs(this.#leaseMs));
    const answer = await peer.lease({ of: token?.text ?? null, ms: this.#leaseMs, workloads }, signal);
    if (answer !== null) return { text: answer.token, receivedAtMs: steadyNowMs() };
    for (const one of leased) this.#extend(one, peer.machine, Number.POSITIVE_INFINITY);
    return null;
  }

  #extend({ name }: KnownWorkload, machine: MachineId, untilMs: number): void {
    const key = keyOf(appId(name.space, name.app), name.process);
    const ends = this.#until.get(key) ?? new Map<MachineId, number>();
    this.#until.set(key, ends);
    ends.set(machine, untilMs);
  }

  /** What the machine may run: what the apps' plans say, and what it does run, until another has the word. */
  #leased(machine: MachineId): readonly KnownWorkload[] {
    const { fleet } = this.#options;
    if (fleet.agentOn(machine) === null) return [];
    return fleet.onlyOnes(machine).filter(({ name, count, instances }) => {
      if ([...instances.values()].some(({ state }) => state !== "exited")) return true;
      return count > 0 && this.#holders.get(appId(name.space, name.app))?.get(name.process) === machine;
    });
  }

  /** A longer term is noted before any lease is given by it, a shorter one once the longer leases of before are over. */
  async #noteTerm(): Promise<void> {
    const { store, steadyNowMs } = this.#options;
    const { ms, overAtMs } = this.#term;
    if (ms === this.#leaseMs || (ms !== null && ms > this.#leaseMs && steadyNowMs() < overAtMs)) return;
    await store.commit({ conditions: [], changes: [put(keys.leaseTerm, { ms: this.#leaseMs } satisfies LeaseTerm)] });
    this.#term = { ms: this.#leaseMs, overAtMs };
  }
}

/** From when a lease counts until nothing runs by it any more for sure. */
function wholeMs(leaseMs: number): number {
  return leaseMs + leaseStopMs + marginMs;
}

function keyOf(app: AppId, process: ProcessName): string {
  return `${app}/${process}`;
}

/** Waits until it rings, or less long. */
async function ring(bell: Bell, ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  bell.woken = new AbortController();
  if (!bell.isRung) await pause(clock, ms, AbortSignal.any([signal, bell.woken.signal]));
  bell.isRung = false;
}
