import { setImmediate as nextTurn } from "node:timers/promises";
import type { Network } from "#host/network.ts";
import type { CertificateChange } from "#model/certificates.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { RouteId } from "#model/names.ts";
import type { Draining, Route, TargetTraffic } from "#model/routing-table.ts";
import { sameData } from "#model/same-data.ts";
import type { IdleConnections, ListenerProblem, Router, TableChange } from "../router.ts";
import { WantedRoutes } from "../wanted-routes.ts";
import type { LiveTarget } from "./choice.ts";
import type { FindRoute } from "./client-connection.ts";
import { ClientCount } from "./client-count.ts";
import type { EdgeContext, Listen } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import { Drains } from "./drains.ts";
import { Endpoint } from "./endpoint.ts";
import { Http2Upstreams } from "./http2/http2-upstreams.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { listenAlone } from "./listen-alone.ts";
import { Listener } from "./listener.ts";
import { LiveRoute } from "./live-route.ts";
import { MachineClients } from "./machines/machine-clients.ts";
import { MachineEntry } from "./machines/machine-entry.ts";
import { AccessLog } from "./policy/access-log.ts";
import { RequestIds } from "./policy/request-ids.ts";
import { TrustedProxies } from "./policy/trusted-proxies.ts";
import { RouteIndex } from "./route-index.ts";
import { type OpenPort, Services } from "./services.ts";
import { TlsPort } from "./tls/tls-port.ts";
import { TlsRoutes } from "./tls/tls-routes.ts";
import { Traffic } from "./traffic.ts";

export interface EmbeddedRouterOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly limits?: Limits;
  /** How addresses are opened; by default each on a socket of this router alone. */
  readonly listen?: Listen;
  /** Addresses and networks of proxies in front, whose word about clients counts. */
  readonly trustedProxies?: readonly Network[];
}

/** Time for a change of the table between two turns of the loop: requests wait no longer than this, whatever its size. */
const sliceMs = 2;

/** Drover's own router: HTTP/1.1 and TCP in this process. */
export class EmbeddedRouter implements Router {
  readonly #context: EdgeContext;
  readonly #stop = new AbortController();
  readonly #sweeping: Promise<void>;
  readonly #routes = new Map<RouteId, LiveRoute>();
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #index = new RouteIndex();
  readonly #wanted = new WantedRoutes();
  /** Of the routes those whose requests have instances started. */
  readonly #waking = new Set<LiveRoute>();
  readonly #drains = new Drains();
  readonly #traffic = new Traffic();
  readonly #count: ClientCount;
  #public: Listener;
  #secure: Listener;
  readonly #tls: TlsPort;
  readonly #tlsRoutes: TlsRoutes;
  readonly #services: Services;
  readonly #entry: MachineEntry;
  /** Closed to new connections while the rest goes on, with some still open. */
  readonly #leaving = new Set<Pick<OpenPort, "closeGently" | "destroy">>();
  #applying: Promise<void> = Promise.resolve();

  constructor({ clock, random, log, limits = defaultLimits, listen = listenAlone, trustedProxies = [] }: EmbeddedRouterOptions) {
    const deadlines = new Deadlines(clock, limits.sweepMs);
    const machines = new MachineClients();
    this.#context = {
      machines,
      http2: new Http2Upstreams(limits, machines),
      clock,
      random,
      log,
      limits,
      deadlines,
      listen,
      ids: new RequestIds(random),
      onWanted: (route) => this.#wanted.tell(route),
      access: new AccessLog(log, clock),
      trusted: trustedProxies.length === 0 ? null : new TrustedProxies(trustedProxies),
    };
    this.#count = new ClientCount(limits.clientsPerAddress, clock, log);
    this.#tls = new TlsPort(this.#context, ["h2", "http/1.1"]);
    this.#tlsRoutes = new TlsRoutes(this.#tls, () => this.#secure.port || null);
    this.#public = this.#publicListener();
    this.#secure = this.#secureListener();
    this.#services = new Services(this.#context, this.#count, this.#stop.signal);
    this.#entry = new MachineEntry(this.#context, this.#stop.signal);
    this.#sweeping = deadlines.run(this.#stop.signal);
  }

  /** Opens the public address. @throws {Error} of `listen`, such as EADDRINUSE. */
  async open(host: string, port: number): Promise<void> {
    await this.#public.open(host, port);
    await this.#services.openPublic(host);
  }

  /** The public port, for who asked for port 0. */
  get port(): number {
    return this.#public.port;
  }

  /** Opens the address for TLS. @throws {Error} of `listen`, such as EADDRINUSE. */
  async openTls(host: string, port: number): Promise<void> {
    await this.#secure.open(host, port);
    this.#tlsRoutes.refresh();
  }

  /** The TLS port; 0 while it is not open. */
  get tlsPort(): number {
    return this.#secure.port;
  }

  async certify(change: CertificateChange): Promise<void> {
    this.#tls.apply(change);
    this.#tlsRoutes.refresh();
    this.#challenge();
    if (change.identity === undefined) return;
    this.#context.machines.apply(change.identity);
    await this.#entry.apply(change.identity);
  }

  apply(change: TableChange): Promise<void> {
    const applied = this.#applying.then(() => this.#apply(change));
    this.#applying = applied.catch(() => {}); // Whoever applied it has its error; the next one only waits for its end.
    return applied;
  }

  /** In slices between which requests are served. What is new comes before what goes, so that no place is without a route in between. */
  async #apply({ set, remove }: TableChange): Promise<void> {
    const { clock } = this.#context;
    const released: Endpoint[] = [];
    let sliceEndsMs = clock.monotonicMs() + sliceMs;
    const isOver = () => clock.monotonicMs() >= sliceEndsMs;
    const next = async () => {
      await nextTurn();
      sliceEndsMs = clock.monotonicMs() + sliceMs;
    };
    for (const route of set) {
      this.#set(route, released);
      if (isOver()) await next();
    }
    for (const id of remove) {
      this.#remove(id, released);
      if (isOver()) await next();
    }
    // Only now is it known who left: an instance may have moved from one route to another.
    for (const endpoint of released) {
      if (!endpoint.isGone) continue;
      this.#endpoints.delete(endpoint.key);
      endpoint.retire();
      this.#drains.left(endpoint.instance);
      if (isOver()) await next();
    }
    await this.#services.settle();
  }

  problems(): readonly ListenerProblem[] {
    return [...this.#services.problems(), ...this.#entry.problems()];
  }

  draining(signal: AbortSignal): AsyncIterable<Draining> {
    return this.#drains.read(signal);
  }

  wanted(signal: AbortSignal): AsyncIterable<RouteId> {
    return this.#wanted.read(signal);
  }

  traffic(): readonly TargetTraffic[] {
    return this.#traffic.read();
  }

  /** Routes that wake and at which something waits or is open. */
  busy(): readonly RouteId[] {
    return [...this.#waking].flatMap((live) => (live.isBusy ? [live.route.id] : []));
  }

  /** The counters themselves, for who looks at them often. */
  counters(): Iterable<TargetTraffic> {
    return this.#traffic.live();
  }

  /** Closes the public addresses alone; ports of routes stay open. Resolves when what came in there is over. */
  async closeAddresses(idle: IdleConnections): Promise<void> {
    await Promise.all([this.#public.closeGently(idle), this.#secure.closeGently(idle)]);
  }

  async closePublic(withinMs: number): Promise<void> {
    const leaving = [this.#public, this.#secure, ...this.#services.closePublic()];
    this.#public = this.#publicListener();
    this.#secure = this.#secureListener();
    this.#challenge();
    this.#tlsRoutes.refresh();
    for (const listener of leaving) this.#leaving.add(listener);
    void this.#finish(leaving, withinMs, "answer").then(() => {
      for (const listener of leaving) this.#leaving.delete(listener);
    });
  }

  async close(withinMs: number, idle: IdleConnections = "close"): Promise<void> {
    this.#services.close();
    const listeners = [this.#public, this.#secure, ...this.#leaving, ...this.#services.listeners, this.#entry];
    await this.#finish(listeners, withinMs, idle);
    for (const endpoint of this.#endpoints.values()) endpoint.retire();
    this.#stop.abort();
    await this.#sweeping;
  }

  #publicListener(): Listener {
    return new Listener({ protocol: "http", findRoute: this.#findRoute }, this.#context, this.#count);
  }

  #secureListener(): Listener {
    return new Listener({ protocol: "https", findRoute: this.#findRoute, port: this.#tls }, this.#context, this.#count);
  }

  #findRoute: FindRoute = (host, path, request) => this.#index.find(host, path, request);

  #challenge(): void {
    const challenges = this.#tls.certificates.httpChallenges;
    this.#public.challenges = challenges;
    this.#secure.challenges = challenges;
  }

  /** Takes no new connections; cuts those that have not finished in time. */
  async #finish(listeners: readonly Pick<OpenPort, "closeGently" | "destroy">[], withinMs: number, idle: IdleConnections): Promise<void> {
    const tooLong = new AbortController();
    const cut = this.#context.clock.sleep(withinMs, tooLong.signal).then(
      () => {
        for (const listener of listeners) listener.destroy();
      },
      (error: unknown) => {
        if (!tooLong.signal.aborted) throw error;
      },
    );
    await Promise.all(listeners.map((listener) => listener.closeGently(idle)));
    tooLong.abort();
    await cut;
  }

  #set(route: Route, released: Endpoint[]): void {
    let live = this.#routes.get(route.id);
    if (live === undefined) {
      live = new LiveRoute(route, this.#context, this.#stop.signal);
      this.#routes.set(route.id, live);
      this.#attach(live);
    } else if (!sameListener(live.route, route)) {
      this.#detach(live);
      live.route = route;
      this.#attach(live);
    } else live.route = route;
    if (route.wakes === undefined) this.#waking.delete(live);
    else this.#waking.add(live);
    this.#tlsRoutes.set(live);
    this.#setTargets(live, route, released);
    live.held.resumeAll();
  }

  #setTargets(live: LiveRoute, route: Route, released: Endpoint[]): void {
    const before = live.targets;
    // Datagrams have no TLS: they go to instances on this machine alone where traffic between machines is encrypted.
    const isUdp = route.listener.kind === "port" && route.listener.protocol === "udp";
    const isCarried = ({ entry }: Route["targets"][number]["endpoints"][number]) => !isUdp || entry === undefined;
    live.targets = route.targets.map(
      (target): LiveTarget => ({
        release: target.release,
        weight: target.weight,
        endpoints: target.endpoints.filter(isCarried).map(({ instance, ...place }) => {
          const key = `${instance}\n${place.host}\n${place.port}\n${place.entry?.name ?? ""}\n${place.entry?.port ?? ""}`;
          let endpoint = this.#endpoints.get(key);
          if (endpoint === undefined) {
            endpoint = new Endpoint(key, this.#drains.instance(instance), place, this.#drains);
            if (before.some(({ endpoints }) => endpoints.length > 0)) this.#warmUp(endpoint);
            this.#endpoints.set(key, endpoint);
          }
          endpoint.routes++;
          this.#drains.entered(endpoint.instance);
          return endpoint;
        }),
        counters: this.#traffic.counters(route, target.release),
      }),
    );
    this.#release(before, released);
    const counters = new Set(live.targets.map((target) => target.counters));
    for (const target of before) if (!counters.has(target.counters)) this.#traffic.left(target.counters);
  }

  #warmUp(endpoint: Endpoint): void {
    const { clock, limits } = this.#context;
    endpoint.joinedMs = clock.monotonicMs();
    endpoint.warmMs = endpoint.joinedMs + limits.slowStartMs;
  }

  #release(targets: readonly LiveTarget[], released: Endpoint[]): void {
    for (const { endpoints } of targets)
      for (const endpoint of endpoints) {
        endpoint.routes--;
        endpoint.instance.inTable--;
        if (endpoint.isGone) released.push(endpoint);
      }
  }

  #remove(id: RouteId, released: Endpoint[]): void {
    const live = this.#routes.get(id);
    if (live === undefined) return;
    this.#routes.delete(id);
    this.#waking.delete(live);
    this.#detach(live);
    this.#tlsRoutes.delete(id);
    const { targets } = live;
    live.targets = [];
    this.#release(targets, released);
    for (const target of targets) this.#traffic.left(target.counters);
  }

  #attach(live: LiveRoute): void {
    const { listener } = live.route;
    if (listener.kind === "public") this.#index.add(live);
    else if (listener.kind === "service" || listener.kind === "port")
      this.#services.want(live, { isPublic: listener.kind === "port", port: listener.port, protocol: listener.protocol });
  }

  #detach(live: LiveRoute): void {
    const { listener, id } = live.route;
    if (listener.kind === "public") this.#index.delete(live);
    else if (listener.kind === "service" || listener.kind === "port") this.#services.unwant(id);
  }
}

function sameListener({ listener: a }: Route, { listener: b }: Route): boolean {
  return sameData(a, b);
}
