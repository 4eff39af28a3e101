import type { EdgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import type { LiveRoute } from "./live-route.ts";
import { UpstreamConnection, type UpstreamUser } from "./upstream-connection.ts";

/** A server that was not linked, or just started, hears of it soon; one that has heard is not bothered by a crowd. */
const tellEveryMs = 1_000;

export interface HeldRequest {
  /** When it gives up, on the monotonic clock. */
  readonly heldUntilMs: number;
  /** Something changed: try again. */
  resume(): void;
  giveUp(): void;
}

/**
 * Requests of one route that wait because no instance takes connections: one restarts in place, or the next one is about to enter the table.
 * While any wait, the route's endpoints are tried one at a time, so that a crowd of waiting requests costs an app that is starting one
 * connection every few milliseconds.
 */
export class HeldRequests {
  readonly #route: LiveRoute;
  readonly #context: EdgeContext;
  readonly #signal: AbortSignal;
  readonly #waiting = new Set<HeldRequest>();
  #isProbing = false;
  #turn = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(route: LiveRoute, context: EdgeContext, signal: AbortSignal) {
    this.#route = route;
    this.#context = context;
    this.#signal = signal;
  }

  /** False if too many wait already. */
  add(request: HeldRequest): boolean {
    if (this.#waiting.size >= this.#context.limits.heldPerRoute) return false;
    this.#waiting.add(request);
    this.#tellWanted();
    if (!this.#isProbing) void this.#probe();
    return true;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Whoever can start an instance learns that it is wanted. */
  #tellWanted(): void {
    const { clock, onWanted } = this.#context;
    const { route, targets } = this.#route;
    if (route.wakes === undefined || targets.some(({ endpoints }) => endpoints.length > 0)) return;
    if (clock.monotonicMs() < this.#toldMs + tellEveryMs) return;
    this.#toldMs = clock.monotonicMs();
    onWanted(route.id);
  }

  delete(request: HeldRequest): void {
    this.#waiting.delete(request);
  }

  resumeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const request of waiting) request.resume();
  }

  async #probe(): Promise<void> {
    const { clock, limits, log } = this.#context;
    this.#isProbing = true;
    try {
      while (this.#waiting.size > 0) {
        await clock.sleep(limits.holdProbeMs, this.#signal);
        const nowMs = clock.monotonicMs();
        for (const request of this.#waiting) {
          if (request.heldUntilMs > nowMs) continue;
          this.#waiting.delete(request);
          request.giveUp();
        }
        if (this.#waiting.size > 0 && (await this.#findsOne())) this.resumeAll();
        if (this.#waiting.size > 0) this.#tellWanted();
      }
    } catch (error) {
      if (!this.#signal.aborted) log.error("probing for an instance failed", { route: this.#route.route.id, error: String(error) });
      for (const request of this.#waiting) request.giveUp();
      this.#waiting.clear();
    } finally {
      this.#isProbing = false;
    }
  }

  async #findsOne(): Promise<boolean> {
    const endpoints = this.#route.targets.flatMap((target) => (target.weight > 0 ? target.endpoints : []));
    const endpoint = endpoints[this.#turn++ % Math.max(1, endpoints.length)];
    if (endpoint === undefined || !(await this.#takesConnections(endpoint))) return false;
    endpoint.ejectedUntilMs = 0;
    return true;
  }

  #takesConnections(endpoint: Endpoint): Promise<boolean> {
    const { limits } = this.#context;
    return new Promise((resolve) => {
      const ignore = () => {};
      const user: UpstreamUser = {
        onUpstreamReady: () => {
          connection.release(limits.upstreamIdleMs);
          resolve(true);
        },
        onUpstreamRefused: () => resolve(false),
        onUpstreamBytes: () => true,
        onUpstreamEnd: ignore,
        onUpstreamDrain: ignore,
        onUpstreamClose: ignore,
      };
      const connection = new UpstreamConnection(endpoint, user, this.#context, { tls: this.#route.upstreamTls });
    });
  }
}
