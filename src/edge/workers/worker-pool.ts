import { availableParallelism } from "node:os";
import { errorFields } from "#host/log.ts";
import type { Network } from "#host/network.ts";
import type { CertificateChange } from "#model/certificates.ts";
import { type Clock, pause } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { RouteId } from "#model/names.ts";
import type { Draining, Route, TargetTraffic } from "#model/routing-table.ts";
import type { IdleConnections, ListenerProblem, Router, TableChange } from "../router/router.ts";
import { WantedRoutes } from "../router/wanted-routes.ts";
import { DrainTotals } from "./drain-totals.ts";
import { isLarge, LargeChange } from "./large-change.ts";
import { takeWhatIsLeft } from "./left-sockets.ts";
import type { Address, FromWorker } from "./messages.ts";
import { SharedSockets } from "./shared-sockets.ts";
import { TrafficTotals } from "./traffic-counts.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface WorkerPoolOptions {
  /** How many; one for each core if left out. */
  readonly workers?: number;
  /** The table in force, for workers that start. */
  readonly routes: () => Iterable<Route>;
  /** All of them, for workers that start; none if left out. */
  readonly certificates?: () => CertificateChange;
  /** Where workers give the ports of routes to those of the next edge, and take them from the last one's; left out, nowhere. */
  readonly socketsFolder?: string;
  /** Proxies in front, whose word about clients counts. */
  readonly trustedProxies?: readonly Network[];
  /** Connections of one address to all workers together; a share of all there may be if left out. */
  readonly connectionsPerClient?: number | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often a TLS port that was taken is tried again. */
const tlsRetryMs = 1_000;
/** A worker that lived this long starts afresh: its next death is a first one. */
const healthyAfterMs = 60_000;
/** Wait before the start after the second death in a row; doubled each time. The first costs no wait. */
const firstWaitMs = 100;
const longestWaitMs = 10_000;
/** Deaths in a row from which on it is called a crash loop. */
const loopAfter = 3;
/** Counters that are kept before anyone looks which of them are of no use any more. */
const firstPrune = 2_000;
const noChange: TableChange = { set: [], remove: [] };
/** What a worker takes to end once all its connections are gone or cut. */
const endMarginMs = 2_000;

/** Carries traffic in processes of their own, one for each core, that share every address: each has the whole table. */
export class WorkerPool implements Router {
  readonly #options: WorkerPoolOptions;
  readonly #sockets = new SharedSockets();
  readonly #slots: Slot[];
  readonly #drains = new DrainTotals();
  readonly #traffic = new TrafficTotals();
  readonly #wanted = new WantedRoutes();
  /** By worker: routes that wake and at which it has something waiting or open. */
  readonly #busy = new Map<number, ReadonlySet<RouteId>>();
  readonly #problems = new Map<number, readonly ListenerProblem[]>();
  readonly #stop = new AbortController();
  #http: Address | null = null;
  #https: Address | null = null;
  #tlsProblem: ListenerProblem | null = null;
  #openingTls: Promise<void> = Promise.resolve();
  /** Of the TLS port that is tried for until it is open. */
  #closedTls = new AbortController();
  #takingOver: Promise<void> | null = null;
  #numbers = 0;
  /** Under way or waiting, in their order. */
  readonly #large = new Set<LargeChange>();
  #applyingLarge: Promise<void> = Promise.resolve();
  #running: readonly Promise<void>[] = [];
  #pruneAt = firstPrune;
  readonly #serving = Promise.withResolvers<void>();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.workers ?? availableParallelism() }, () => ({ worker: null, deaths: 0, startedMs: 0 }));
  }

  /** Takes over a socket for the address that whoever started the edge holds. @throws {Error} with the system's code. */
  inherit(address: Address, fd: number): void {
    this.#sockets.inherit(address, fd);
  }

  /** Starts the workers, at addresses on loopback alone until `open`. Resolves when the first serves. */
  async start(): Promise<void> {
    await this.#takeOver();
    if (this.#running.length === 0) this.#running = this.#slots.map((slot) => this.#keep(slot));
    await this.#serving.promise;
  }

  /** Opens the public address, for workers that are there or start. Resolves when those serve that are there, or the first. @throws {Error} with the system's code, such as EADDRINUSE. */
  async open(host: string, port: number): Promise<void> {
    await this.#takeOver();
    const http = await this.#sockets.openFixed({ host, port });
    this.#http = http;
    // One that starts is told when it has the table.
    await Promise.all(this.#slots.map(({ worker }) => (worker?.isCounted ? worker.serve(http) : null)));
    await this.start();
  }

  async closePublic(withinMs: number): Promise<void> {
    this.#closedTls.abort();
    await this.#openingTls;
    this.#closedTls = new AbortController();
    this.#http = null;
    this.#https = null;
    this.#tlsProblem = null;
    // Closed here first: the last to close is then a worker, which accepts what waits until the very end.
    this.#sockets.closeFixed();
    await Promise.all(this.#slots.map(({ worker }) => worker?.closePublic(withinMs)));
  }

  /** Once: takes the ports that workers of the edge before this one have. */
  #takeOver(): Promise<void> {
    const { socketsFolder, clock, log } = this.#options;
    if (socketsFolder === undefined) return Promise.resolve();
    return (this.#takingOver ??= this.#sockets.takeOver(() => {
      const own = this.#slots.map(({ worker }) => worker?.pid);
      return takeWhatIsLeft(socketsFolder, own, clock, log);
    }));
  }

  /** Opens the address for TLS. One that is taken is a problem, and tried again until it is free: plain HTTP goes on without it. */
  async openTls(host: string, port: number): Promise<void> {
    if (await this.#triesTls(host, port)) return;
    this.#openingTls = this.#openTlsLater(host, port, AbortSignal.any([this.#stop.signal, this.#closedTls.signal]));
  }

  /** The TLS port; 0 while it is not open. */
  get tlsPort(): number {
    return this.#https?.port ?? 0;
  }

  async certify(change: CertificateChange): Promise<void> {
    await Promise.all(
      this.#slots.flatMap(({ worker }) => {
        const done = worker?.certify(change);
        return worker?.isCounted ? [done] : [];
      }),
    );
  }

  /** The public port, for who asked for port 0. */
  get port(): number {
    return this.#http?.port ?? 0;
  }

  async apply(change: TableChange): Promise<void> {
    for (const large of this.#large) large.overtake(change);
    await (isLarge(change) ? this.#applyLarge(change) : this.#applyNow(change));
    this.#prune();
  }

  async #applyLarge(change: TableChange): Promise<void> {
    const large = new LargeChange(change);
    this.#large.add(large);
    // An instance may go from one route to another in two parts: it has not left in between.
    this.#drains.begin(noChange);
    const before = this.#applyingLarge;
    const run = async () => {
      await before;
      // While a part is put in force the next is on its way.
      let last: Promise<void> = Promise.resolve();
      for (const part of large.parts()) {
        const next = this.#applyNow(part);
        await last;
        last = next;
      }
      await last;
    };
    this.#applyingLarge = run();
    await this.#applyingLarge;
    this.#large.delete(large);
    this.#drains.end(noChange);
  }

  async #applyNow(change: TableChange): Promise<void> {
    this.#drains.begin(change);
    // One that starts is not waited for: it has the change in its first table, or gets it before it serves.
    await Promise.all(
      this.#slots.flatMap(({ worker }) => {
        const done = worker?.apply(change);
        return worker?.isCounted ? [done] : [];
      }),
    );
    this.#drains.end(change);
  }

  problems(): readonly ListenerProblem[] {
    const byRoute = new Map<RouteId, ListenerProblem>();
    for (const problems of this.#problems.values()) for (const problem of problems) byRoute.set(problem.route, problem);
    return [...(this.#tlsProblem === null ? [] : [this.#tlsProblem]), ...this.#crashes(), ...byRoute.values()];
  }

  /** Told until one of them has lived for long enough again. */
  #crashes(): readonly ListenerProblem[] {
    const { clock } = this.#options;
    const loops = this.#slots.filter(
      ({ worker, deaths, startedMs }) => deaths >= loopAfter && (worker === null || clock.monotonicMs() - startedMs < healthyAfterMs),
    );
    if (loops.length === 0) return [];
    const times = Math.max(...loops.map(({ deaths }) => deaths));
    const message = `${loops.length} of ${this.#slots.length} workers of the edge die again and again, ${times} times in a row by now`;
    return [{ route: "WORKERS" as RouteId, port: null, code: "WORKERS_CRASHING", message }];
  }

  draining(signal: AbortSignal): AsyncIterable<Draining> {
    return this.#drains.read(signal);
  }

  wanted(signal: AbortSignal): AsyncIterable<RouteId> {
    return this.#wanted.read(signal);
  }

  async traffic(): Promise<readonly TargetTraffic[]> {
    await Promise.all(this.#slots.map(({ worker }) => worker?.report()));
    const busy = [...this.#busy.values()];
    return this.#traffic.read().map((one) => ({ ...one, isBusy: busy.some((routes) => routes.has(one.route)) }));
  }

  async close(withinMs: number, idle: IdleConnections = "close"): Promise<void> {
    this.#stop.abort(new Error("the edge closes"));
    // Closed here first: the last to close is then a worker, which accepts what waits until the very end.
    this.#sockets.close();
    const workers = this.#slots.flatMap(({ worker }) => worker ?? []);
    for (const worker of workers) worker.send({ kind: "close", withinMs, idle });
    const tooLong = new AbortController();
    const cut = this.#options.clock.sleep(withinMs + endMarginMs, tooLong.signal).then(
      () => {
        for (const worker of workers) worker.kill();
      },
      (error: unknown) => {
        if (!tooLong.signal.aborted) throw error;
      },
    );
    await Promise.all([...this.#running, this.#openingTls]);
    tooLong.abort();
    await cut;
  }

  async #triesTls(host: string, port: number): Promise<boolean> {
    let https: Address;
    try {
      https = await this.#sockets.openFixed({ host, port });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (this.#tlsProblem === null) this.#options.log.warn("the TLS port could not be opened", { port, error: message });
      this.#tlsProblem = { route: "HTTPS" as RouteId, port, code: hasCode(error, "EADDRINUSE") ? "PORT_IN_USE" : "INTERNAL", message };
      return false;
    }
    this.#tlsProblem = null;
    this.#https = https;
    for (const { worker } of this.#slots) worker?.serveTls(https);
    return true;
  }

  async #openTlsLater(host: string, port: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(this.#options.clock, tlsRetryMs, signal);
      if (!signal.aborted && (await this.#triesTls(host, port))) return;
    }
  }

  /** Keeps one worker running until the pool closes, and that one has ended. */
  async #keep(slot: Slot): Promise<void> {
    const { clock, log } = this.#options;
    const signal = this.#stop.signal;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      slot.startedMs = startedMs;
      const worker = this.#start(slot);
      const how = await worker.ended;
      this.#lose(slot, worker);
      if (signal.aborted) return;
      slot.deaths = clock.monotonicMs() - startedMs >= healthyAfterMs ? 1 : slot.deaths + 1;
      const waitMs = slot.deaths === 1 ? 0 : Math.min(longestWaitMs, firstWaitMs * 2 ** (slot.deaths - 2));
      const isLoop = slot.deaths >= loopAfter;
      log[isLoop ? "error" : "warn"](isLoop ? "a worker dies again and again" : "worker died", {
        worker: worker.number,
        worker_pid: worker.pid,
        how,
        deaths: slot.deaths,
        wait_ms: waitMs,
      });
      await pause(clock, waitMs, signal);
    }
  }

  #start(slot: Slot): WorkerProcess {
    const { socketsFolder = null, trustedProxies = [], connectionsPerClient = null } = this.#options;
    const options = { number: ++this.#numbers, workers: this.#slots.length, socketsFolder, trustedProxies, connectionsPerClient };
    const worker = new WorkerProcess(options, (message) => this.#take(worker, message));
    slot.worker = worker;
    void worker.apply({ set: [...this.#options.routes()], remove: [] }).then(() => worker.serve(this.#http));
    const certificates = this.#options.certificates?.();
    if (certificates !== undefined) void worker.certify(certificates);
    if (this.#https !== null) worker.serveTls(this.#https);
    return worker;
  }

  #lose(slot: Slot, worker: WorkerProcess): void {
    slot.worker = null;
    this.#sockets.forget(worker.number);
    this.#problems.delete(worker.number);
    this.#busy.delete(worker.number);
    this.#drains.forget(worker.number);
  }

  #take(worker: WorkerProcess, message: FromWorker): void {
    switch (message.kind) {
      case "applied":
      case "reported":
        return;
      case "serving":
        this.#options.log.info("worker serves", { worker: worker.number, worker_pid: worker.pid });
        this.#serving.resolve();
        if (this.#slots.every((slot) => slot.worker?.isServing)) this.#sockets.settle();
        return;
      case "open":
        void this.#open(worker, message);
        return;
      case "released":
        this.#sockets.release(message.address, worker.number);
        return;
      case "draining":
        for (const { instance, open } of message.counts) this.#drains.tell(worker.number, instance, open);
        return;
      case "traffic":
        this.#traffic.add(message.since);
        return;
      case "wanted":
        this.#wanted.tell(message.route);
        return;
      case "busy":
        this.#busy.set(worker.number, new Set(message.routes));
        return;
      case "problems":
        this.#problems.set(worker.number, message.problems);
        return;
      default:
        message satisfies never;
    }
  }

  async #open(worker: WorkerProcess, { call, address }: Extract<FromWorker, { kind: "open" }>): Promise<void> {
    try {
      worker.send({ kind: "socket", call }, await this.#sockets.open(address, worker.number));
    } catch (error) {
      const code = hasCode(error, "EADDRINUSE") ? "EADDRINUSE" : String((error as { readonly code?: unknown }).code ?? "INTERNAL");
      if (code === "INTERNAL") this.#options.log.error("a socket could not be opened", errorFields(error));
      worker.send({ kind: "socket", call, error: { code, message: error instanceof Error ? error.message : String(error) } });
    }
  }

  /** Only now and then: it looks at the whole table. */
  #prune(): void {
    if (this.#traffic.size < this.#pruneAt) return;
    const inTable = new Set<string>();
    for (const { id, targets } of this.#options.routes()) for (const { release } of targets) inTable.add(`${id}\n${release}`);
    this.#traffic.prune(({ route, release }) => inTable.has(`${route}\n${release}`));
    this.#pruneAt = 2 * this.#traffic.size + firstPrune;
  }
}

/** A place for a worker, and how often one died there in a row. */
interface Slot {
  worker: WorkerProcess | null;
  deaths: number;
  /** Of its worker, on the monotonic clock. */
  startedMs: number;
}
