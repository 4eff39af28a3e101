import { hasCode } from "#model/errors.ts";
import type { RouteId } from "#model/names.ts";
import type { IdleConnections, ListenerProblem } from "../router.ts";
import type { ClientCount } from "./client-count.ts";
import type { EdgeContext } from "./context.ts";
import { Listener, type ListenerKind } from "./listener.ts";
import type { LiveRoute } from "./live-route.ts";
import { UdpPort } from "./ports/udp-port.ts";

/** How often a port that was taken is tried again: whoever has it may let go at any time. */
const retryEveryMs = 1_000;
/** Service addresses are for apps on this machine alone. */
const serviceHost = "127.0.0.1";

/** A port that a route has for itself: of the public host, or on loopback alone. */
interface WantedPort {
  readonly isPublic: boolean;
  readonly port: number;
  readonly protocol: "http" | "tcp" | "udp";
}

interface Wanted extends WantedPort {
  readonly live: LiveRoute;
}

/** What listens at a port. */
export interface OpenPort {
  /** @throws {Error} with the system's code, such as EADDRINUSE. */
  open(host: string, port: number): Promise<void>;
  closeGently(idle?: IdleConnections): Promise<void>;
  destroy(): void;
}

/** The ports that routes have for themselves: opened, closed and, where taken, tried again. */
export class Services {
  readonly #context: EdgeContext;
  readonly #count: ClientCount;
  readonly #signal: AbortSignal;
  readonly #wanted = new Map<RouteId, Wanted>();
  /** Wanted since the last time that all was settled. */
  readonly #unsettled = new Set<Wanted>();
  readonly #open = new Map<string, { readonly listener: OpenPort; readonly wanted: Wanted }>();
  readonly #problems = new Map<RouteId, ListenerProblem>();
  /** Closed to new connections, with some still open. */
  readonly #closing = new Set<OpenPort>();
  #isRetrying = false;
  #isClosing = false;
  #publicHost: string | null = null;

  constructor(context: EdgeContext, count: ClientCount, signal: AbortSignal) {
    this.#context = context;
    this.#count = count;
    this.#signal = signal;
  }

  want(live: LiveRoute, port: WantedPort): void {
    this.unwant(live.route.id);
    const wanted = { live, ...port };
    this.#wanted.set(live.route.id, wanted);
    this.#unsettled.add(wanted);
  }

  unwant(id: RouteId): void {
    const wanted = this.#wanted.get(id);
    if (wanted !== undefined) this.#unsettled.delete(wanted);
    this.#wanted.delete(id);
  }

  /** The host of the public ports is known. */
  openPublic(host: string): Promise<void> {
    this.#publicHost = host;
    return this.settle();
  }

  /** Public ports wait from now on until their host is known again. @returns what listened there, and does so until it is closed */
  closePublic(): readonly OpenPort[] {
    this.#publicHost = null;
    for (const id of this.#problems.keys()) {
      const wanted = this.#wanted.get(id);
      if (wanted?.isPublic !== true) continue;
      this.#problems.delete(id);
      this.#unsettled.add(wanted);
    }
    return [...this.#open].flatMap(([key, { listener, wanted }]) => {
      if (!wanted.isPublic) return [];
      this.#open.delete(key);
      if (this.#wanted.get(wanted.live.route.id) === wanted) this.#unsettled.add(wanted);
      return listener;
    });
  }

  /** Makes what listens what is wanted. Resolves once every port that can be opened is open. */
  async settle(): Promise<void> {
    for (const [key, { listener, wanted }] of this.#open) {
      if (this.#wanted.get(wanted.live.route.id) === wanted) continue;
      this.#open.delete(key);
      this.#closing.add(listener);
      void listener.closeGently().then(() => this.#closing.delete(listener));
    }
    for (const id of this.#problems.keys()) {
      const wanted = this.#wanted.get(id);
      if (wanted === undefined) this.#problems.delete(id);
      else this.#unsettled.add(wanted);
    }
    if (this.#isClosing) return;
    const unsettled = [...this.#unsettled];
    this.#unsettled.clear();
    await Promise.all(unsettled.map((wanted) => this.#ensure(wanted)));
    if (this.#problems.size > 0 && !this.#isRetrying) void this.#retry();
  }

  /** From now on nothing is opened any more. */
  close(): void {
    this.#isClosing = true;
  }

  problems(): readonly ListenerProblem[] {
    return [...this.#problems.values()];
  }

  get listeners(): readonly OpenPort[] {
    return [...[...this.#open.values()].map(({ listener }) => listener), ...this.#closing];
  }

  async #ensure(wanted: Wanted): Promise<void> {
    const { live, port } = wanted;
    const key = portKey(wanted);
    const holder = this.#open.get(key);
    if (holder?.wanted === wanted) return;
    if (holder !== undefined) return this.#report(wanted, "EADDRINUSE", `route "${holder.wanted.live.route.id}" has the port`);
    const host = wanted.isPublic ? this.#publicHost : serviceHost;
    // Until the public address is known, public ports wait for it.
    if (host === null) {
      this.#unsettled.add(wanted);
      return;
    }
    const listener = this.#make(wanted);
    this.#open.set(key, { listener, wanted });
    try {
      await listener.open(host, port);
      this.#problems.delete(live.route.id);
      // It may not be wanted any more by now.
      if (this.#open.get(key)?.listener !== listener) void listener.closeGently();
    } catch (error) {
      this.#open.delete(key);
      this.#report(
        wanted,
        hasCode(error, "EADDRINUSE") ? "PORT_IN_USE" : "INTERNAL",
        error instanceof Error ? error.message : String(error),
      );
    }
  }

  #make({ live, protocol }: Wanted): OpenPort {
    if (protocol === "udp") return new UdpPort(live, this.#context);
    const kind: ListenerKind = protocol === "http" ? { protocol, findRoute: () => live } : { protocol, route: live };
    return new Listener(kind, this.#context, this.#count);
  }

  #report({ live, port }: Wanted, code: string, message: string): void {
    const route = live.route.id;
    if (!this.#problems.has(route)) this.#context.log.warn("port of a route could not be opened", { route, port, code, error: message });
    this.#problems.set(route, { route, port, code, message });
  }

  async #retry(): Promise<void> {
    this.#isRetrying = true;
    try {
      while (this.#problems.size > 0 && !this.#isClosing) {
        await this.#context.clock.sleep(retryEveryMs, this.#signal);
        await Promise.all(
          [...this.#problems.keys()].map(async (id) => {
            const wanted = this.#wanted.get(id);
            if (wanted === undefined) this.#problems.delete(id);
            else await this.#ensure(wanted);
          }),
        );
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    } finally {
      this.#isRetrying = false;
    }
  }
}

/** What can be listened at once only. */
function portKey({ port, protocol }: WantedPort): string {
  return `${protocol === "udp" ? "udp" : "tcp"} ${port}`;
}
