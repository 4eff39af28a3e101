import { join } from "node:path";
import type { CertificateChange } from "#model/certificates.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Draining, TargetTraffic } from "#model/routing-table.ts";
import type { ListenerProblem, Router, TableChange } from "../router.ts";
import { Accounts } from "./accounts.ts";
import type { Binary } from "./binary.ts";
import { CarriedRoutes } from "./carried-routes.ts";
import { Certificates } from "./certificates.ts";
import { type Address, backendName, type Config, type ConfigInput, isPublicFrontend, listenAddress, maps, renderConfig } from "./config.ts";
import { DesiredRoutes } from "./desired-routes.ts";
import { EntryBeside } from "./entry-beside.ts";
import { Leaving } from "./leaving.ts";
import { StartFailure } from "./process.ts";
import { Processes } from "./processes.ts";
import { type Running, readRunning } from "./running.ts";
import { assignSlots, type NamedServer, type Slots, serversOf } from "./servers.ts";
import { Sockets } from "./sockets.ts";
import { type TimeLimits, timeLimits } from "./time-limits.ts";
import type { Worker } from "./worker.ts";

export interface HaproxyRouterOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly binary: Binary;
  /** Where its configuration and sockets are; short, since paths of sockets are. */
  readonly folder: string;
  /** Connections of clients. */
  readonly connections: number;
  /** Of one address; null: as many as there are, since all may come from a proxy in front, which HAProxy is not told of. */
  readonly connectionsPerClient: number | null;
  /** `timeLimits` if left out. */
  readonly timeLimits?: TimeLimits;
}

/** How often what failed is tried again: a port that was taken, a HAProxy that does not start. */
const retryEveryMs = 1_000;
/** Beyond so many commands a new configuration is read faster than they are. */
const mostCommands = 5_000;
/** Routes that HAProxy refuses are taken out one after another, up to so many in one attempt. */
const mostRefusals = 50;
/** What the kernel allows. */
const longestSocketPath = 107;

/** The same routing table carried by a supervised HAProxy: endpoints, weights, plain routes and certificates by its runtime commands, the rest by reload. */
export class HaproxyRouter implements Router {
  readonly #options: HaproxyRouterOptions;
  readonly #stop = new AbortController();
  readonly #desired = new DesiredRoutes();
  readonly #entry: EntryBeside;
  readonly #carried: CarriedRoutes;
  readonly #certificates: Certificates;
  readonly #accounts = new Accounts();
  readonly #processes: Processes;
  readonly #leaving: Leaving;
  readonly #serverNames = new Map<string, string>();
  #slots: Slots = new Map();
  /** Null: nothing is taken from outside. */
  #http: Address | null = null;
  #https: Address | null = null;
  #isStarted = false;
  /** Processes of an edge before this one; null while nobody has looked. */
  #before: readonly Running[] | null = null;
  #sockets = new Sockets(new Set());
  #lastServer = 0;
  #wanted = 0;
  #done = 0;
  #passing: Promise<void> | null = null;
  /** The last pass failed altogether. */
  #hasFailed = false;
  #background: Promise<unknown>[] = [];

  constructor(options: HaproxyRouterOptions) {
    const { clock, log, binary, folder } = options;
    this.#options = options;
    this.#entry = new EntryBeside(clock, log);
    if (Buffer.byteLength(join(folder, "c999999.sock")) > longestSocketPath)
      throw new DroverError("ROUTER_UNUSABLE", `"${folder}" is too long a path for HAProxy's sockets`, {
        hint: "Give Drover a home with a shorter path, or leave --router out for the embedded router.",
      });
    this.#carried = new CarriedRoutes(log);
    this.#certificates = new Certificates(folder, log);
    const [accounts, signal] = [this.#accounts, this.#stop.signal];
    this.#processes = new Processes({ clock, log, binary, folder, accounts, onServingEnd: (worker) => this.#onServingEnd(worker) });
    const isPassing = () => this.#passing !== null;
    this.#leaving = new Leaving({ clock, log, processes: this.#processes, accounts, isPassing, signal });
  }

  /** The address of the TLS port, which `open` opens with the public one; said before that and before `start`. */
  useTls(host: string, port: number): void {
    this.#https = { host, port };
  }

  /** Opens the public address, and the TLS one where there is one. @throws {Error} of `listen`, such as EADDRINUSE, or {DroverError} ROUTER_UNUSABLE. */
  async open(host: string, port: number): Promise<void> {
    if (!this.#isStarted) await this.#findRunning();
    const http = await this.#sockets.hold({ host, port });
    try {
      if (this.#https !== null) this.#https = await this.#sockets.hold(this.#https);
    } catch (error) {
      this.#sockets.release(http);
      throw error;
    }
    this.#http = http;
    await this.start();
  }

  /** Serves what is in force by now, at addresses on loopback alone until `open`. @throws {DroverError} ROUTER_UNUSABLE */
  async start(): Promise<void> {
    if (this.#isStarted) return this.#settle();
    const before = this.#before ?? (await this.#findRunning());
    this.#isStarted = true;
    await this.#processes.adopt(before);
    await this.#settle();
    if (this.#processes.serving === null) {
      await this.close(0);
      throw new DroverError("ROUTER_UNUSABLE", `HAProxy ${this.#options.binary.version} did not start`, {
        hint: "The log of the edge has its own words.",
      });
    }
    this.#background.push(this.#leaving.watch(), this.#retryProblems());
  }

  /** What an edge before this one has left running holds sockets. */
  async #findRunning(): Promise<readonly Running[]> {
    const before = await readRunning(this.#options.folder);
    this.#sockets = new Sockets(new Set(before.flatMap(({ ports }) => ports)));
    this.#before = before;
    return before;
  }

  /** Requests on connections that are open go on, by the process that has them, which also has what is inside: that goes on for longer, as after any change. */
  async closePublic(withinMs: number): Promise<void> {
    const own = new Set([...this.#slots].flatMap(([slot, route]) => (route?.listener.kind === "port" ? backendName(slot) : [])));
    this.#http = null;
    await this.#settle();
    const cut = this.#processes.cutLater((frontend) => isPublicFrontend(frontend, own), withinMs, this.#stop.signal);
    this.#background.push(cut);
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
    return this.#processes.serving?.process.pid ?? null;
  }

  async apply(change: TableChange): Promise<void> {
    const { present, released } = this.#desired.change(change);
    this.#leaving.cameBack(present);
    for (const id of change.remove) {
      this.#carried.forget(id);
      this.#accounts.remove(id);
    }
    await this.#settle();
    await this.#leaving.take(new Map([...released].filter(([instance]) => !this.#desired.has(instance))));
  }

  /** A certificate that HAProxy refuses stays as it was, and is a problem of the routes that it is for. */
  async certify(change: CertificateChange): Promise<void> {
    this.#certificates.change(change);
    if (change.identity !== undefined) await this.#entry.apply(change.identity);
    await this.#settle();
  }

  problems(): readonly ListenerProblem[] {
    return [...this.#carried.problems, ...this.#certificates.problems(this.#desired.all), ...this.#entry.problems()];
  }

  draining(signal: AbortSignal): AsyncIterable<Draining> {
    return this.#leaving.draining(signal);
  }

  /** A request without an instance is answered at once: only instances have an app run. */
  wanted(): null {
    return null;
  }

  async traffic(): Promise<readonly TargetTraffic[]> {
    for (const worker of this.#processes.all) await this.#processes.count(worker, null);
    return this.#accounts.read();
  }

  async close(withinMs: number): Promise<void> {
    this.#stop.abort();
    await this.#passing;
    this.#sockets.keep([]);
    await Promise.all([this.#processes.close(withinMs), this.#entry.close(withinMs)]);
    await Promise.all(this.#background);
  }

  // Passes: what is wanted against what HAProxy has been told.

  /** Resolves once a pass that began now or later is over. */
  async #settle(): Promise<void> {
    const wanted = ++this.#wanted;
    while (this.#done < wanted && this.#isStarted && !this.#stop.signal.aborted) {
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
      await this.#converge(this.#http, false);
    } catch (error) {
      // Whatever it was, the configuration as a whole says all again.
      log.warn("HAProxy could not be told of a change, so it is replaced", {
        error: error instanceof Error ? error.message : String(error),
      });
      try {
        await this.#converge(this.#http, true);
      } catch (second) {
        log.error("the routes in force could not be changed", {
          error: second instanceof Error ? second.message : String(second),
          ...wordsOf(second),
        });
        this.#hasFailed = true;
      }
    }
    this.#done = wanted;
  }

  async #converge(http: Address | null, mustReplace: boolean): Promise<void> {
    for (let refusals = 0; ; refusals++) {
      const routes = await this.#carried.pick(this.#desired.all, { http, https: this.#https }, this.#sockets);
      const slots = assignSlots(this.#slots, routes);
      const servers = this.#serversOf(slots);
      this.#sockets.use(this.#addresses(slots, http));
      const config = renderConfig(this.#input(slots, servers, http));
      try {
        await this.#tell(config, servers, slots, http, mustReplace);
      } catch (error) {
        if (!(error instanceof StartFailure) || refusals >= mostRefusals || !this.#learn(error, config, slots)) throw error;
        continue;
      }
      this.#slots = slots;
      this.#carried.reportShortcomings(routes, config.shortcomings);
      return;
    }
  }

  /** By commands where these reach and are few enough, else by a new process. */
  async #tell(
    config: Config,
    servers: ReadonlyMap<string, readonly NamedServer[]>,
    slots: Slots,
    http: Address | null,
    mustReplace: boolean,
  ): Promise<void> {
    const { serving } = this.#processes;
    if (!mustReplace && serving !== null && serving.shape === config.shape && serving.distance(config.maps, servers) <= mostCommands) {
      await this.#certificates.sync(serving);
      await serving.sync(config.maps, servers);
      return;
    }
    await this.#certificates.write();
    const before = await this.#processes.start(config, servers, this.#sockets.fds);
    this.#certificates.served();
    this.#slots = slots;
    const addresses = this.#addresses(slots, http);
    this.#sockets.keep(addresses);
    if (before !== null) await this.#processes.retire(before, [...(config.maps.get(maps.services)?.keys() ?? [])]);
    await this.#processes.note(addresses);
    this.#leaving.wake();
  }

  #serversOf(slots: Slots): ReadonlyMap<string, readonly NamedServer[]> {
    const servers = new Map<string, readonly NamedServer[]>();
    for (const [slot, route] of slots) {
      const backend = backendName(slot);
      const own = route === null ? [] : serversOf(route, backend, this.#nameOf);
      servers.set(backend, own);
      if (route === null) continue;
      this.#accounts.set(route, backend);
      for (const { name, route: id, release } of own) this.#accounts.own(name, { route: id, release });
    }
    return servers;
  }

  #nameOf = (key: string): string => {
    let name = this.#serverNames.get(key);
    if (name === undefined) {
      name = `s${++this.#lastServer}`;
      this.#serverNames.set(key, name);
    }
    return name;
  };

  #input(slots: Slots, servers: ReadonlyMap<string, readonly NamedServer[]>, http: Address | null): ConfigInput {
    const { connections, connectionsPerClient, timeLimits: limits = timeLimits } = this.#options;
    return {
      bind: (address) => this.#sockets.bind(address),
      http,
      https: this.#https,
      control: this.#processes.nextControl,
      connections,
      connectionsPerClient,
      timeLimits: limits,
      slots,
      servers: (backend) => servers.get(backend) ?? [],
      certificates: this.#certificates.usable(),
      challenges: this.#certificates.challenges(),
    };
  }

  #addresses(slots: Slots, http: Address | null): readonly Address[] {
    const own = [...slots.values()].flatMap((route) => (route === null ? [] : (listenAddress(route.listener, http) ?? [])));
    return [...(http === null ? [] : [http, ...(this.#https === null ? [] : [this.#https])]), ...own];
  }

  /** Takes out what HAProxy named when it refused. False if it named nothing that can be taken out. */
  #learn({ words }: StartFailure, config: Config, slots: Slots): boolean {
    const hasRefused = this.#certificates.refuse(words);
    return this.#carried.learn(words, config, slots) || hasRefused;
  }

  // What goes on by itself.

  #onServingEnd(worker: Worker): void {
    if (this.#stop.signal.aborted) return;
    this.#options.log.error("HAProxy ended, or its control socket is gone; it is started again", { pid: worker.process.pid });
    // Where only the socket is gone it serves on, until the next one has the ports too.
    this.#background.push(this.#startAgain(worker));
  }

  async #startAgain(worker: Worker): Promise<void> {
    await this.#settle();
    const { serving } = this.#processes;
    if (serving !== null && serving !== worker) worker.process.kill("SIGUSR1");
  }

  async #retryProblems(): Promise<void> {
    const { clock } = this.#options;
    try {
      for (;;) {
        await clock.sleep(retryEveryMs, this.#stop.signal);
        const hasTaken = this.#carried.problems.some(({ code }) => code === "PORT_IN_USE");
        if (!hasTaken && !this.#hasFailed && this.#processes.serving !== null) continue;
        this.#hasFailed = false;
        await this.#settle();
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
  }
}

function wordsOf(error: unknown): { readonly words?: string } {
  return error instanceof StartFailure ? { words: error.words.slice(-2_000) } : {};
}
