import { once } from "node:events";
import type net from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ListeningSocket } from "#host/listening-socket.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { RouteId } from "#model/names.ts";
import type { Draining, Route, TargetTraffic } from "#model/routing-table.ts";
import type { Listen } from "../router/embedded/context.ts";
import type { EmbeddedRouter } from "../router/embedded/embedded-router.ts";
import { backlog } from "../router/embedded/listen-alone.ts";
import type { Address, FromWorker, ToWorker } from "./messages.ts";
import { keyOf } from "./shared-sockets.ts";
import { TrafficSince } from "./traffic-counts.ts";

/** How often counts and problems are told: what a worker that dies has not told is lost. */
const tellEveryMs = 1_000;
/** Open counts in one message, for the same reason. */
const drainsAtOnce = 200;
/** Counters in one message: made in well under a millisecond. */
const countersAtOnce = 50;
/** Counters that are looked at between two turns of the loop: well under a millisecond too. */
const looksAtOnce = 2_000;

export interface WorkerOptions {
  readonly makeRouter: (listen: Listen) => EmbeddedRouter;
  readonly send: (message: FromWorker) => void;
  readonly clock: Clock;
  /** Serves at the public address. */
  readonly onServing: () => void;
}

/** The side of the edge that carries traffic: does to its router what it is told, and tells what becomes of it. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #router: EmbeddedRouter;
  readonly #stop = new AbortController();
  readonly #since = new TrafficSince();
  readonly #opening = new Map<number, PromiseWithResolvers<ListeningSocket>>();
  readonly #telling: Promise<unknown>;
  #set: Route[] = [];
  #remove: RouteId[] = [];
  /** What listens at ports of routes, by address. */
  readonly #ports = new Map<string, ListeningSocket>();
  #calls = 0;
  /** Changes and what follows on them, one after another. */
  #inOrder: Promise<void> = Promise.resolve();
  #told = "[]";
  #toldBusy = "";
  #drains: Draining[] = [];
  #toldDrains = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#router = options.makeRouter((server, address) => this.#listen(server, address));
    this.#telling = Promise.all([this.#tellDrains(), this.#tellWanted(), this.#tellNowAndThen()]);
  }

  /** The sockets that it listens on, by address: open for as long as any process has them. */
  sockets(): Iterable<readonly [string, ListeningSocket]> {
    return this.#ports;
  }

  /** Whoever started the edge holds the public addresses, and may have others listen there. Resolves when what came in there is over. */
  closeAddresses(): Promise<void> {
    return this.#router.closeAddresses("answer");
  }

  /** @returns whether it was told to end, and has. */
  async take(message: ToWorker, socket: unknown): Promise<boolean> {
    switch (message.kind) {
      case "routes":
      case "certificates":
      case "serve":
      case "serveTls":
      case "closePublic":
        this.#inOrder = this.#inOrder.then(() => this.#takeInOrder(message));
        await this.#inOrder;
        return false;
      case "socket": {
        const opening = this.#opening.get(message.call);
        this.#opening.delete(message.call);
        if (message.error === undefined) opening?.resolve(socket as ListeningSocket);
        else opening?.reject(Object.assign(new Error(message.error.message), { code: message.error.code }));
        return false;
      }
      case "report":
        await this.#tellTraffic();
        this.#options.send({ kind: "reported", call: message.call });
        return false;
      case "close":
        await this.#router.close(message.withinMs, message.idle);
        this.#stop.abort();
        await this.#telling;
        await this.#tellTraffic();
        return true;
      default:
        return message satisfies never;
    }
  }

  async #takeInOrder(
    message: Extract<ToWorker, { kind: "routes" | "certificates" | "serve" | "serveTls" | "closePublic" }>,
  ): Promise<void> {
    switch (message.kind) {
      case "routes":
        return this.#takeRoutes(message);
      case "certificates":
        await this.#router.certify(message.certificates);
        return this.#options.send({ kind: "applied", change: message.change });
      case "serve":
        return this.#serve(message);
      case "serveTls":
        return this.#router.openTls(message.https.host, message.https.port);
      case "closePublic":
        await this.#router.closePublic(message.withinMs);
        return this.#options.send({ kind: "applied", change: message.change });
      default:
        return message satisfies never;
    }
  }

  async #takeRoutes({ change, set, remove, isLast }: Extract<ToWorker, { kind: "routes" }>): Promise<void> {
    this.#set.push(...set);
    this.#remove.push(...remove);
    if (!isLast) return;
    const whole = { set: this.#set, remove: this.#remove };
    this.#set = [];
    this.#remove = [];
    await this.#router.apply(whole);
    this.#tellProblems();
    // What left the table by this is told before the change counts as done: until a turn goes by in which nothing was.
    let told: number;
    do {
      told = this.#toldDrains;
      await nextTurn();
      await nextTurn();
    } while (told !== this.#toldDrains);
    this.#sendDrains();
    this.#options.send({ kind: "applied", change });
  }

  async #serve({ change, http }: Extract<ToWorker, { kind: "serve" }>): Promise<void> {
    if (http !== null) await this.#router.open(http.host, http.port);
    this.#options.send({ kind: "serving", change });
    this.#options.onServing();
  }

  async #listen(server: net.Server, address: Address): Promise<void> {
    const call = ++this.#calls;
    const opening = Promise.withResolvers<ListeningSocket>();
    this.#opening.set(call, opening);
    this.#options.send({ kind: "open", call, address });
    const socket = await opening.promise;
    server.listen(socket, backlog);
    await once(server, "listening");
    this.#ports.set(keyOf(address), socket);
    server.once("close", () => {
      if (this.#ports.get(keyOf(address)) === socket) this.#ports.delete(keyOf(address));
      this.#options.send({ kind: "released", address });
    });
  }

  async #tellDrains(): Promise<void> {
    for await (const count of this.#router.draining(this.#stop.signal)) {
      this.#toldDrains++;
      if (this.#drains.push(count) === 1) setImmediate(() => this.#sendDrains());
      // A change of the whole table makes thousands of these: requests are served in between.
      if (this.#drains.length >= drainsAtOnce) await nextTurn();
    }
  }

  async #tellWanted(): Promise<void> {
    for await (const route of this.#router.wanted(this.#stop.signal)) this.#options.send({ kind: "wanted", route });
  }

  #sendDrains(): void {
    const counts = this.#drains;
    this.#drains = [];
    if (counts.length > 0) this.#options.send({ kind: "draining", counts });
  }

  async #tellNowAndThen(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await pause(clock, tellEveryMs, signal);
      await this.#tellTraffic();
      this.#tellProblems();
    }
  }

  async #tellTraffic(): Promise<void> {
    this.#tellBusy();
    let changed: TargetTraffic[] = [];
    let looked = 0;
    const tell = () => {
      if (changed.length > 0) this.#options.send({ kind: "traffic", since: changed });
      changed = [];
    };
    for (const since of this.#since.take(this.#router.counters())) {
      if (since !== null) changed.push(since);
      if (changed.length < countersAtOnce && ++looked % looksAtOnce !== 0) continue;
      tell();
      await nextTurn();
    }
    tell();
  }

  #tellBusy(): void {
    const routes = this.#router.busy();
    const told = routes.join("\n");
    if (told === this.#toldBusy) return;
    this.#toldBusy = told;
    this.#options.send({ kind: "busy", routes });
  }

  #tellProblems(): void {
    const problems = this.#router.problems();
    const told = JSON.stringify(problems);
    if (told === this.#told) return;
    this.#told = told;
    this.#options.send({ kind: "problems", problems });
  }
}
