import type { RouteId } from "#model/names.ts";
import { latencyBoundsMs, type Route, type TargetTraffic } from "#model/routing-table.ts";
import { type TargetCounters, Traffic } from "../embedded/traffic.ts";
import { exactPerSecond, sampledOf } from "./http-rules.ts";
import type { Stat } from "./stats.ts";

/** What was counted of a process so far, by `backend/server`. */
export type Ledger = Map<string, Stat>;

interface Owner {
  readonly route: RouteId;
  readonly release: number;
}

/** Requests that are counted and not in the histogram yet, and how long requests took since that was last done. */
interface Waiting {
  unplaced: number;
  readonly samples: number[];
  /** How long one request takes on average, by the samples since that was last done. */
  tookMs: number;
}

interface Answers {
  /** By class, from 1xx to 5xx. */
  readonly classes: readonly number[];
}

const none: Answers = { classes: [0, 0, 0, 0, 0] };
/** Where 5xx is. */
const failureClass = 4;

function added(a: Answers, b: Answers): Answers {
  return { classes: a.classes.map((count, at) => count + (b.classes[at] ?? 0)) };
}

const buckets = latencyBoundsMs.length + 1;

/**
 * Counters by route and release over all processes of HAProxy. Requests, errors and bytes are HAProxy's own counts, with heads among the bytes. Of
 * latencies HAProxy has averages alone, so the histogram is filled by the share of requests that it logs: all of them while there are few.
 */
export class Accounts {
  readonly #traffic = new Traffic();
  readonly #waiting = new Map<TargetCounters, Waiting>();
  readonly #servers = new Map<string, Owner>();
  /** By backend: whose requests reached nobody. */
  readonly #heaviest = new Map<string, Owner>();
  readonly #routes = new Map<RouteId, Route>();

  set(route: Route, backend: string): void {
    const before = this.#routes.get(route.id);
    this.#routes.set(route.id, route);
    const releases = new Set(route.targets.map(({ release }) => release));
    for (const { release } of before?.targets ?? []) if (!releases.has(release)) this.#traffic.left(this.#traffic.counters(route, release));
    for (const release of releases) this.#traffic.counters(route, release);
    const [heaviest] = [...route.targets].sort((a, b) => b.weight - a.weight);
    const last = this.#heaviest.get(backend);
    if (heaviest !== undefined) this.#heaviest.set(backend, { route: route.id, release: heaviest.release });
    else if (last !== undefined && last.route !== route.id) this.#heaviest.delete(backend);
  }

  remove(id: RouteId): void {
    const route = this.#routes.get(id);
    this.#routes.delete(id);
    for (const { release } of route?.targets ?? []) if (route !== undefined) this.#traffic.left(this.#traffic.counters(route, release));
  }

  /** From now on what is counted for the server is the release's. */
  own(server: string, owner: Owner): void {
    this.#servers.set(server, owner);
  }

  forget(server: string): void {
    this.#servers.delete(server);
  }

  /** A request is over: `number backend server status milliseconds requests-a-second`. Anything else is no such line. */
  logged(line: string): void {
    const match = /^\d+ (b\d+) (\S+) (-?\d+) (\d+) (\d+)$/.exec(line);
    if (match === null) return;
    const [, backend = "", server = "", , tookMs, perSecond] = match;
    const owner = this.#servers.get(server) ?? this.#heaviest.get(backend);
    const counters = owner === undefined ? null : this.#countersOf(owner);
    if (counters === null) return;
    let bucket = 0;
    while (bucket < latencyBoundsMs.length && Number(tookMs) > (latencyBoundsMs[bucket] as number)) bucket++;
    const waiting = this.#waitingOf(counters);
    const weight = Number(perSecond) > exactPerSecond ? sampledOf : 1;
    waiting.samples[bucket] = (waiting.samples[bucket] as number) + weight;
    const total = waiting.samples.reduce((sum, n) => sum + n, 0);
    waiting.tookMs += ((Number(tookMs) - waiting.tookMs) * weight) / total;
  }

  /** Adds what a process has counted since it was last asked. */
  count(stats: readonly Stat[], ledger: Ledger): void {
    const reached = new Map<string, Answers>();
    for (const stat of stats) {
      if (stat.server === "BACKEND") continue;
      const since = difference(stat, ledger);
      const sum = reached.get(stat.backend) ?? none;
      const owner = this.#servers.get(stat.server);
      if (owner === undefined) continue;
      reached.set(stat.backend, added(sum, since));
      const counters = this.#countersOf(owner);
      if (counters === null) continue;
      if (stat.isHttp) this.#add(counters, since, none);
      else this.#addSessions(counters, since.sessions);
      counters.bytesIn += since.bytesIn;
      counters.bytesOut += since.bytesOut;
    }
    for (const stat of stats) {
      const owner = this.#heaviest.get(stat.backend);
      if (stat.server !== "BACKEND") continue;
      const since = difference(stat, ledger);
      const of = reached.get(stat.backend);
      const counters = owner === undefined ? null : this.#countersOf(owner);
      // Answers of HAProxy's own: nobody was there, or an instance gave none.
      if (counters !== null && stat.isHttp) this.#add(counters, since, of ?? none);
    }
  }

  read(): readonly TargetTraffic[] {
    for (const [counters, waiting] of this.#waiting) place(counters, waiting);
    return this.#traffic.read();
  }

  /** What was answered, without what is counted elsewhere. */
  #add(counters: TargetCounters, answered: Answers, elsewhere: Answers): void {
    let requests = 0;
    answered.classes.forEach((count, at) => {
      const here = Math.max(0, count - (elsewhere.classes[at] ?? 0));
      counters.classes[at] = (counters.classes[at] ?? 0) + here;
      requests += here;
      if (at === failureClass) counters.errors += here;
    });
    this.#addSessions(counters, requests);
  }

  #addSessions(counters: TargetCounters, count: number): void {
    counters.requests += count;
    this.#waitingOf(counters).unplaced += count;
  }

  #countersOf({ route, release }: Owner): TargetCounters | null {
    const known = this.#routes.get(route);
    return known === undefined ? null : this.#traffic.counters(known, release);
  }

  #waitingOf(counters: TargetCounters): Waiting {
    let waiting = this.#waiting.get(counters);
    if (waiting === undefined) {
      waiting = { unplaced: 0, samples: new Array<number>(buckets).fill(0), tookMs: 0 };
      this.#waiting.set(counters, waiting);
    }
    return waiting;
  }
}

function difference(stat: Stat, ledger: Ledger): Stat {
  const key = `${stat.backend}/${stat.server}`;
  const before = ledger.get(key);
  ledger.set(key, stat);
  if (before === undefined) return stat;
  return {
    ...stat,
    sessions: stat.sessions - before.sessions,
    classes: stat.classes.map((count, at) => count - (before.classes[at] ?? 0)),
    bytesIn: stat.bytesIn - before.bytesIn,
    bytesOut: stat.bytesOut - before.bytesOut,
  };
}

/** Puts what was counted into the histogram, shared as the samples are; the sum of the histogram is the count of requests, and no bucket shrinks. */
function place(counters: TargetCounters, waiting: Waiting): void {
  const { samples, unplaced } = waiting;
  const total = samples.reduce((sum, n) => sum + n, 0);
  if (unplaced <= 0 || total === 0) return;
  let left = unplaced;
  let fullest = 0;
  samples.forEach((sample, at) => {
    if (sample > (samples[fullest] as number)) fullest = at;
    const share = Math.floor((sample / total) * unplaced);
    counters.latency[at] = (counters.latency[at] as number) + share;
    left -= share;
  });
  counters.latency[fullest] = (counters.latency[fullest] as number) + left;
  counters.latencySumMs += unplaced * waiting.tookMs;
  waiting.unplaced = 0;
  // The shape is kept as the best guess for what comes before the next sample, with little weight against it.
  samples.forEach((sample, at) => void (samples[at] = sample / total / buckets));
}
