import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { CertificateChange } from "#model/certificates.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId, RouteId } from "#model/names.ts";
import type { Draining, Route, TargetTraffic } from "#model/routing-table.ts";
import { OpenCounts } from "../open-counts.ts";
import type { ListenerProblem, Router, TableChange } from "../router.ts";
import { Accounts } from "./accounts.ts";
import type { Binary } from "./binary.ts";
import { Certificates } from "./certificates.ts";
import { type Address, backendName, bindAddress, type Config, type ConfigInput, listenAddress, maps, renderConfig } from "./config.ts";
import { misplaced } from "./places.ts";
import { HaproxyProcess, StartFailure } from "./process.ts";
import { serverAddress } from "./quoting.ts";
import { refusedLines, takenPorts, validate, writeConfig } from "./refusals.ts";
import { noteRunning, type Running, readRunning, startedTicks } from "./running.ts";
import { assignSlots, type NamedServer, type Slots, serversOf } from "./servers.ts";
import { Sockets } from "./sockets.ts";
import { Worker } from "./worker.ts";

export interface HaproxyRouterOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly binary: Binary;
  /** Where its configuration and sockets are; short, since paths of sockets are. */
  readonly folder: string;
  /** Connections of clients. */
  readonly connections: number;
}

/** How often what failed is tried again: a port that was taken, a HAProxy that does not start. */
const retryEveryMs = 1_000;
/** How often instances that left are asked for what they have open: soon at first, since most have nothing. */
const drainLook = { firstMs: 10, longestMs: 500, growth: 1.5 } as const;
/** Up to so many backends are asked one by one, beyond all at once. */
const fewBackends = 20;
/** With nothing to watch; whatever comes up wakes the watch anyway. */
const restMs = 60_000;
/** Beyond so many commands a new configuration is read faster than they are. */
const mostCommands = 5_000;
/** Routes that HAProxy refuses are taken out one after another, up to so many in one attempt. */
const mostRefusals = 50;
/** Processes that finish what they have; each has all of its table in memory. Beyond, the oldest is ended, whatever it has open. */
const mostOld = 8;
/** What the kernel allows. */
const longestSocketPath = 107;

/** The same routing table carried by a supervised HAProxy: endpoints, weights, plain routes and certificates by its runtime commands, the rest by reload. */
export class HaproxyRouter implements Router {
  readonly #options: HaproxyRouterOptions;
  readonly #stop = new AbortController();
  readonly #routes = new Map<RouteId, Route>();
  readonly #drains = new OpenCounts();
  /** Endpoints of each instance in the table. */
  readonly #inTable = new Map<InstanceId, number>();
  readonly #accounts = new Accounts();
  readonly #certificates: Certificates;
  readonly #serverNames = new Map<string, string>();
  readonly #problems = new Map<RouteId, ListenerProblem>();
  /** Routes that HAProxy refused, as they were then: they are tried again once they change. */
  readonly #refused = new Map<RouteId, { readonly route: Route; readonly words: string }>();
  /** Instances that left the table and have, or may have, something open. */
  readonly #left = new Map<InstanceId, string[]>();
  /** What was last told of them. */
  readonly #counted = new Map<InstanceId, number>();
  #slots: Slots = new Map();
  #http: Address | null = null;
  #https: Address | null = null;
  #serving: Worker | null = null;
  #sockets = new Sockets(new Set());
  /** Being replaced, the oldest first. */
  #old: Worker[] = [];
  #generation = 0;
  #lastServer = 0;
  #wanted = 0;
  #done = 0;
  #passing: Promise<void> | null = null;
  #isClosing = false;
  #wakeDrains: (() => void) | null = null;
  #background: Promise<unknown>[] = [];

  constructor(options: HaproxyRouterOptions) {
    this.#options = options;
    if (Buffer.byteLength(join(options.folder, "c999999.sock")) > longestSocketPath)
      throw new DroverError("ROUTER_UNUSABLE", `"${options.folder}" is too long a path for HAProxy's sockets`, {
        hint: "Give Drover a home with a shorter path, or leave --router out for the embedded router.",
      });
    this.#certificates = new Certificates(options.folder);
  }

  /** The address of the TLS port, which `open` opens with the public one. */
  useTls(host: string, port: number): void {
    this.#https = { host, port };
  }

  /** Opens the public address, and the TLS one where there is one. @throws {Error} of `listen`, such as EADDRINUSE, or {DroverError} ROUTER_UNUSABLE. */
  async open(host: string, port: number): Promise<void> {
    const before = await readRunning(this.#options.folder);
    this.#sockets = new Sockets(new Set(before.flatMap(({ ports }) => ports)));
    const http = await this.#sockets.hold({ host, port });
    try {
      if (this.#https !== null) this.#https = await this.#sockets.hold(this.#https);
    } catch (error) {
      this.#sockets.keep([]);
      throw error;
    }
    this.#http = http;
    await this.#adopt(before);
    await this.#settle();
    if (this.#serving === null) {
      await this.close(0);
      throw new DroverError("ROUTER_UNUSABLE", `HAProxy ${this.#options.binary.version} did not start`, {
        hint: "The log of the edge has its own words.",
      });
    }
    this.#background.push(this.#watchDrains(), this.#retryProblems());
  }

  /** The public port, for who asked for port 0. */
  get port(): number {
    return this.#http?.port ?? 0;
  }

  get tlsPort(): number {
    return this.#https?.port ?? 0;
  }

  /** The process that serves now; null while it is started. */
  get pid(): number | null {
    return this.#serving?.process.pid ?? null;
  }

  async apply({ set, remove }: TableChange): Promise<void> {
    const released = new Map<InstanceId, string[]>();
    for (const id of remove) this.#set(id, null, released);
    for (const route of set) this.#set(route.id, route, released);
    await this.#settle();
    for (const [instance, addresses] of released) if (!this.#inTable.has(instance)) this.#left.set(instance, addresses);
    await this.#countLeft();
    this.#wakeDrains?.();
  }

  /** A certificate that HAProxy refuses stays as it was, and is told of in the log. */
  async certify(change: CertificateChange): Promise<void> {
    this.#certificates.change(change);
    await this.#settle();
  }

  problems(): readonly ListenerProblem[] {
    return [...this.#problems.values()];
  }

  draining(signal: AbortSignal): AsyncIterable<Draining> {
    return this.#drains.read(signal);
  }

  async traffic(): Promise<readonly TargetTraffic[]> {
    for (const worker of this.#workers()) await this.#count(worker, null);
    return this.#accounts.read();
  }

  async close(withinMs: number): Promise<void> {
    this.#isClosing = true;
    this.#stop.abort();
    await this.#passing;
    const { clock, folder } = this.#options;
    const endMs = clock.monotonicMs() + withinMs;
    const workers = [...this.#workers()];
    this.#sockets.keep([]);
    for (const worker of workers) worker.process.kill("SIGUSR1");
    await Promise.all(workers.map((worker) => this.#finish(worker, endMs)));
    await Promise.all(this.#background);
    await noteRunning(folder, []);
  }

  // Desired state.

  #set(id: RouteId, route: Route | null, released: Map<InstanceId, string[]>): void {
    const before = this.#routes.get(id);
    for (const { endpoints } of route?.targets ?? [])
      for (const { instance } of endpoints) {
        this.#inTable.set(instance, (this.#inTable.get(instance) ?? 0) + 1);
        this.#drains.forget(instance);
        this.#left.delete(instance);
      }
    for (const { endpoints } of before?.targets ?? [])
      for (const { instance, host, port } of endpoints) {
        const inTable = (this.#inTable.get(instance) ?? 0) - 1;
        if (inTable > 0) this.#inTable.set(instance, inTable);
        else this.#inTable.delete(instance);
        const addresses = released.get(instance) ?? [];
        addresses.push(serverAddress(host, port) ?? "");
        released.set(instance, addresses);
      }
    if (route === null) {
      this.#routes.delete(id);
      this.#problems.delete(id);
      this.#refused.delete(id);
      this.#accounts.remove(id);
    } else this.#routes.set(id, route);
  }

  #nameOf = (key: string): string => {
    let name = this.#serverNames.get(key);
    if (name === undefined) {
      name = `s${++this.#lastServer}`;
      this.#serverNames.set(key, name);
    }
    return name;
  };

  #workers(): readonly Worker[] {
    return this.#serving === null ? this.#old : [...this.#old, this.#serving];
  }

  // Passes: what is wanted against what HAProxy has been told.

  /** Resolves once a pass that began now or later is over. */
  async #settle(): Promise<void> {
    const wanted = ++this.#wanted;
    while (this.#done < wanted && this.#http !== null && !this.#isClosing) {
      this.#passing ??= this.#pass().finally(() => {
        this.#passing = null;
      });
      await this.#passing;
    }
  }

  async #pass(): Promise<void> {
    const wanted = this.#wanted;
    const { log } = this.#options;
    try {
      await this.#converge();
    } catch (error) {
      // Whatever it was, the configuration as a whole says all again.
      log.warn("HAProxy could not be told of a change, so it is replaced", {
        error: error instanceof Error ? error.message : String(error),
      });
      try {
        await this.#converge(true);
      } catch (second) {
        log.error("the routes in force could not be changed", {
          error: second instanceof Error ? second.message : String(second),
          ...wordsOf(second),
        });
        this.#wakeRetry = true;
      }
    }
    this.#done = wanted;
  }

  #wakeRetry = false;

  async #converge(mustReplace = false): Promise<void> {
    for (let refusals = 0; ; refusals++) {
      const routes = await this.#carried();
      const slots = assignSlots(this.#slots, routes);
      const servers = new Map<string, readonly NamedServer[]>();
      for (const [slot, route] of slots) {
        const backend = backendName(slot);
        servers.set(backend, route === null ? [] : serversOf(route, backend, this.#nameOf));
      }
      this.#sockets.use(this.#addresses(slots));
      const config = renderConfig(this.#input(slots, servers));
      this.#own(slots, servers);
      const serving = this.#serving;
      try {
        if (mustReplace || serving === null || serving.shape !== config.shape || serving.distance(config.maps, servers) > mostCommands)
          await this.#replace(config, servers, slots);
        else {
          await this.#certificates.sync(serving);
          await serving.sync(config.maps, servers);
        }
      } catch (error) {
        if (!(error instanceof StartFailure) || refusals >= mostRefusals || !this.#learn(error, config, slots)) throw error;
        continue;
      }
      this.#slots = slots;
      for (const [id, words] of config.shortcomings) this.#report(id, null, "ROUTE_PARTLY_CARRIED", words.join("; "));
      return;
    }
  }

  #input(slots: Slots, servers: ReadonlyMap<string, readonly NamedServer[]>): ConfigInput {
    const { connections } = this.#options;
    return {
      bind: (address) => this.#sockets.bind(address),
      http: this.#http as Address,
      https: this.#https,
      control: `c${this.#generation + 1}.sock`,
      connections,
      slots,
      servers: (backend) => servers.get(backend) ?? [],
      certificates: this.#certificates.usable(),
      challenges: this.#certificates.challenges(),
    };
  }

  #own(slots: Slots, servers: ReadonlyMap<string, readonly NamedServer[]>): void {
    for (const [slot, route] of slots) {
      if (route === null) continue;
      const backend = backendName(slot);
      this.#accounts.set(route, backend);
      for (const { name, route: id, release } of servers.get(backend) ?? []) this.#accounts.own(name, { route: id, release });
    }
  }

  /** The routes that HAProxy is told of; the others are problems. */
  async #carried(): Promise<ReadonlyMap<RouteId, Route>> {
    const carried = new Map<RouteId, Route>();
    const ports = new Map<number, RouteId>();
    for (const [id, route] of this.#routes) {
      const { listener, targets } = route;
      const port = listener.kind === "service" || listener.kind === "port" ? listener.port : null;
      const holder = port === null ? undefined : ports.get(port);
      const why = this.#unable(route);
      const refused = this.#refused.get(id);
      if (refused !== undefined && refused.route !== route) this.#refused.delete(id);
      if (refused?.route === route) this.#report(id, port, "ROUTE_REFUSED", refused.words);
      else if (why !== null) this.#report(id, port, "ROUTE_NOT_CARRIED", why);
      else if (holder !== undefined) this.#report(id, port, "PORT_IN_USE", `route "${holder}" has the port`);
      else {
        const address = listenAddress(listener, this.#http as Address);
        try {
          if (address !== null) await this.#sockets.hold(address);
        } catch (error) {
          this.#report(
            id,
            port,
            hasCode(error, "EADDRINUSE") ? "PORT_IN_USE" : "INTERNAL",
            error instanceof Error ? error.message : String(error),
          );
          continue;
        }
        if (port !== null) ports.set(port, id);
        this.#problems.delete(id);
        const unreachable = targets.flatMap(({ endpoints }) => endpoints).find(({ host, port: at }) => serverAddress(host, at) === null);
        if (unreachable !== undefined) this.#report(id, null, "ROUTE_PARTLY_CARRIED", `"${unreachable.host}" is no IP address`);
        carried.set(id, route);
      }
    }
    return carried;
  }

  #unable(route: Route): string | null {
    const { listener } = route;
    if (listener.kind === "port" && listener.protocol === "udp") return "HAProxy carries no UDP";
    // Served to everybody it would be open, so it is served to nobody.
    if (route.policy?.tls?.client !== undefined) return "the router HAProxy does not ask clients for certificates";
    if (listener.kind === "passthrough" && this.#https === null) return "the edge has no TLS port";
    return misplaced(route);
  }

  #report(route: RouteId, port: number | null, code: string, message: string): void {
    const before = this.#problems.get(route);
    if (before?.code !== code || before.message !== message)
      this.#options.log.warn("route is not carried as it is wanted", { route, port, code, error: message });
    this.#problems.set(route, { route, port, code, message });
  }

  /** Takes out what HAProxy named when it refused. False if it named nothing that can be taken out. */
  #learn(failure: StartFailure, config: Config, slots: Slots): boolean {
    let learned = this.#certificates.refuse(failure.words);
    const routes = [...slots.values()].filter((route) => route !== null);
    for (const { line, words } of refusedLines(failure.words)) {
      const route = routes.find(({ id }) => id === config.owners.get(line));
      if (route === undefined) continue;
      this.#refused.set(route.id, { route, words });
      learned = true;
    }
    for (const port of takenPorts(failure.words))
      for (const route of routes)
        if ((route.listener.kind === "service" || route.listener.kind === "port") && route.listener.port === port) {
          this.#refused.set(route.id, { route, words: `HAProxy could not listen on port ${port}` });
          learned = true;
        }
    return learned;
  }

  // Processes.

  async #replace(config: Config, servers: ReadonlyMap<string, readonly NamedServer[]>, slots: Slots): Promise<void> {
    const { binary, folder, clock, log } = this.#options;
    const generation = ++this.#generation;
    const control = `c${generation}.sock`;
    const file = `h${generation}.cfg`;
    await this.#certificates.write();
    await writeConfig(folder, file, config);
    const before = this.#serving ?? this.#old.at(-1) ?? null;
    try {
      await validate(binary.path, folder, file, this.#sockets.fds);
      const startedAtMs = clock.monotonicMs();
      const process = await HaproxyProcess.start({
        binary: binary.path,
        folder,
        config: file,
        control,
        from: before?.isAdopted === true ? before.control : null,
        fds: this.#sockets.fds,
        clock,
        log,
        onLine: (line) => this.#accounts.logged(line),
      });
      const worker = new Worker(process, control, config, servers, log);
      this.#certificates.served();
      this.#serving = worker;
      this.#slots = slots;
      void process.ended.then(() => this.#onEnd(worker));
      log.info("HAProxy serves a new configuration", {
        pid: process.pid,
        generation,
        took_ms: Math.round(clock.monotonicMs() - startedAtMs),
      });
    } finally {
      await rm(join(folder, file), { force: true });
    }
    this.#sockets.keep(this.#addresses(slots));
    if (before !== null) await this.#retire(before, [...(config.maps.get(maps.services)?.keys() ?? [])]);
    await this.#note();
  }

  /** Lets a process finish what it has, and send what still comes to the one that replaced it. */
  async #retire(worker: Worker, servicePorts: readonly string[]): Promise<void> {
    const { log, clock } = this.#options;
    if (!this.#old.includes(worker)) this.#old.push(worker);
    try {
      await this.#count(worker, null);
      worker.process.kill("SIGUSR1");
      for (let tries = 0; tries < 1_000 && !(await worker.isStopping()); tries++) await clock.sleep(1, new AbortController().signal);
      await worker.relay(servicePorts);
    } catch (error) {
      // It has ended, with nothing left to finish.
      log.debug("a replaced HAProxy could not be told", { pid: worker.process.pid, error: String(error) });
    }
    while (this.#old.length > mostOld) {
      const [oldest] = this.#old.splice(0, 1);
      log.warn("the oldest of the replaced HAProxy processes is ended", { pid: oldest?.process.pid ?? 0 });
      oldest?.process.kill("SIGTERM");
      oldest?.process.control.close();
    }
    this.#wakeDrains?.();
  }

  async #adopt(before: readonly Running[]): Promise<void> {
    const { folder, log } = this.#options;
    for (const { pid, control } of before) {
      const process = await HaproxyProcess.adopt(pid, join(folder, control));
      this.#generation = Math.max(this.#generation, Number(/\d+/.exec(control)?.[0] ?? 0));
      if (process === null) continue;
      log.info("HAProxy of an edge before this one is taken over", { pid });
      const worker = new Worker(process, control, null, new Map(), log);
      this.#old.push(worker);
      void process.ended.then(() => this.#onEnd(worker));
    }
  }

  #addresses(slots: Slots): readonly Address[] {
    const http = this.#http as Address;
    const own = [...slots.values()].flatMap((route) => (route === null ? [] : (listenAddress(route.listener, http) ?? [])));
    return [http, ...(this.#https === null ? [] : [this.#https]), ...own];
  }

  async #note(): Promise<void> {
    const running: Running[] = [];
    for (const worker of this.#workers()) {
      const ticks = await startedTicks(worker.process.pid);
      if (ticks === null) continue;
      const ports = worker === this.#serving ? this.#addresses(this.#slots).map(bindAddress) : [];
      running.push({ pid: worker.process.pid, startedTicks: ticks, control: worker.control, ports });
    }
    await noteRunning(this.#options.folder, running);
  }

  #onEnd(worker: Worker): void {
    const { log, folder } = this.#options;
    void rm(join(folder, worker.control), { force: true });
    if (worker !== this.#serving) {
      this.#old = this.#old.filter((one) => one !== worker);
      return;
    }
    this.#serving = null;
    if (this.#isClosing) return;
    log.error("HAProxy ended, or its control socket is gone; it is started again", { pid: worker.process.pid });
    // Where only the socket is gone it serves on, until the next one has the ports too.
    this.#background.push(this.#startAgain(worker));
  }

  async #startAgain(worker: Worker): Promise<void> {
    await this.#settle();
    if (this.#serving !== null && this.#serving !== worker) worker.process.kill("SIGUSR1");
  }

  /** Asks one that takes nothing new any more until it has nothing under way, then ends it. */
  async #finish(worker: Worker, endMs: number): Promise<void> {
    const { clock } = this.#options;
    try {
      for (let waitMs: number = drainLook.firstMs; clock.monotonicMs() < endMs && (await worker.underWay()) > 0; waitMs = longer(waitMs))
        await Promise.race([
          clock.sleep(Math.min(waitMs, Math.max(1, endMs - clock.monotonicMs())), new AbortController().signal),
          worker.process.ended,
        ]);
      await this.#count(worker, null);
    } catch {
      // It has ended by itself.
    }
    worker.process.kill("SIGKILL");
    worker.process.control.close();
    await worker.process.ended;
    await rm(join(this.#options.folder, worker.control), { force: true });
  }

  // What has left, and what has been counted.

  async #countLeft(): Promise<void> {
    if (this.#left.size === 0) return;
    const open = new Map<string, number>();
    for (const worker of [...this.#workers()]) {
      const leaving = new Set(worker.leaving().map(({ backend }) => backend));
      try {
        const isTold = worker === this.#serving && leaving.size <= fewBackends;
        for (const backend of isTold ? leaving : [null])
          for (const { address, current, server } of await worker.stats(backend))
            if (server !== "BACKEND") open.set(address, (open.get(address) ?? 0) + current);
      } catch (error) {
        // A process that has ended has nothing open.
        this.#options.log.debug("a HAProxy that was asked for its connections ended", { pid: worker.process.pid, error: String(error) });
      }
    }
    for (const [instance, addresses] of this.#left) {
      const count = new Set(addresses).values().reduce((sum, address) => sum + (open.get(address) ?? 0), 0);
      if (this.#counted.get(instance) !== count) this.#drains.tell(instance, count);
      this.#counted.set(instance, count);
      if (count > 0) continue;
      this.#left.delete(instance);
      this.#counted.delete(instance);
    }
  }

  async #dropLeft(): Promise<boolean> {
    const serving = this.#serving;
    if (serving === null || this.#passing !== null) return true;
    const leaving = serving.leaving();
    for (const backend of new Set(leaving.map(({ backend }) => backend))) await this.#count(serving, backend);
    for (const { backend, server } of leaving)
      if (this.#passing === null && (await serving.drop(backend, server))) this.#accounts.forget(server);
    return serving.leaving().length > 0;
  }

  async #watchDrains(): Promise<void> {
    const { log } = this.#options;
    let waitMs: number = drainLook.firstMs;
    while (!this.#stop.signal.aborted) {
      let isBusy = false;
      try {
        await this.#countLeft();
        isBusy = (await this.#dropLeft()) || this.#left.size > 0;
        await this.#endOld();
      } catch (error) {
        log.debug("HAProxy could not be asked", { error: String(error) });
      }
      const woken = new AbortController();
      this.#wakeDrains = () => {
        waitMs = drainLook.firstMs;
        woken.abort();
      };
      await this.#rest(isBusy || this.#old.length > 0 ? waitMs : restMs, woken.signal);
      waitMs = longer(waitMs);
    }
  }

  /** Sleeps until there may be news, or the router closes. */
  async #rest(ms: number, woken: AbortSignal): Promise<void> {
    const either = AbortSignal.any([woken, this.#stop.signal]);
    try {
      await this.#options.clock.sleep(ms, either);
    } catch (error) {
      if (!either.aborted) throw error;
    }
  }

  /** Old processes end once this connection is all that keeps them. */
  async #endOld(): Promise<void> {
    for (const worker of [...this.#old]) {
      const { process } = worker;
      const jobs = await worker.jobs();
      if (jobs > 1) continue;
      await this.#count(worker, null);
      process.control.close();
    }
  }

  async #count(worker: Worker, backend: string | null): Promise<void> {
    try {
      this.#accounts.count(await worker.stats(backend), worker.ledger);
    } catch (error) {
      this.#options.log.debug("a HAProxy that was asked for its counts ended", { pid: worker.process.pid, error: String(error) });
    }
  }

  async #retryProblems(): Promise<void> {
    const { clock } = this.#options;
    try {
      for (;;) {
        await clock.sleep(retryEveryMs, this.#stop.signal);
        const hasTaken = [...this.#problems.values()].some(({ code }) => code === "PORT_IN_USE");
        if (!hasTaken && !this.#wakeRetry && this.#serving !== null) continue;
        this.#wakeRetry = false;
        await this.#settle();
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
  }
}

function longer(waitMs: number): number {
  return Math.min(drainLook.longestMs, waitMs * drainLook.growth);
}

function wordsOf(error: unknown): { readonly words?: string } {
  return error instanceof StartFailure ? { words: error.words.slice(-2_000) } : {};
}
