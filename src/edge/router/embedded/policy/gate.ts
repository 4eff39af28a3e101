import type { RateLimit, RoutePolicy } from "#model/routing-table.ts";
import type { CanonicalHost } from "../http/host.ts";
import type { Page } from "../pages.ts";
import { Bucket, ClientBuckets } from "./rates.ts";

/** What is known of a request before its route's instances are asked. */
export interface GateRequest {
  readonly host: CanonicalHost;
  readonly path: string;
  readonly target: string;
  /** -1: not known. */
  readonly contentLength: number;
  readonly headBytes: number;
  /** The address that rates are counted by. */
  readonly client: string;
}

/** What a route asks of requests before its app sees them, and answers itself. Null for most routes: then there is nothing to look at. */
export class RouteGate {
  readonly #answer: RoutePolicy["answer"];
  readonly #headBytes: number;
  readonly #bodyBytes: number;
  readonly #rate: Bucket | null;
  readonly #clients: ClientBuckets | null;

  private constructor({ answer, limits = {} }: RoutePolicy, routers: number) {
    this.#answer = answer;
    this.#headBytes = limits.headBytes ?? Number.POSITIVE_INFINITY;
    this.#bodyBytes = limits.bodyBytes ?? Number.POSITIVE_INFINITY;
    this.#rate = limits.rate === undefined ? null : new Bucket(rateOf(limits.rate, routers));
    this.#clients = limits.ratePerClient === undefined ? null : new ClientBuckets(limits.ratePerClient);
  }

  /**
   * @param routers how many share the route's rate, each with about as many of its requests as the others. A client's rate is not shared: with one
   * connection it meets one router, and must get what it was promised.
   */
  static of(policy: RoutePolicy | undefined, routers = 1): RouteGate | null {
    if (policy === undefined) return null;
    const { headBytes, bodyBytes, rate, ratePerClient } = policy.limits ?? {};
    return [policy.answer, headBytes, bodyBytes, rate, ratePerClient].every((one) => one === undefined)
      ? null
      : new RouteGate(policy, routers);
  }

  /** The answer in place of the app's; null if the request may go on. */
  check(request: GateRequest, nowMs: number): Page | null {
    if (request.headBytes > this.#headBytes) return { status: 431, message: "the request's head is too long for this route" };
    // A client that is over its own rate must not use up everybody's.
    const waitMs = this.#clients?.take(request.client, nowMs) || this.#rate?.take(nowMs) || 0;
    if (waitMs > 0)
      return {
        status: 429,
        message: "too many requests",
        headers: { "retry-after": String(Math.ceil(waitMs / 1_000)) },
      };
    if (this.#answer?.kind === "redirect") {
      const { to, status } = this.#answer;
      return { status, message: "this is served elsewhere", headers: { location: expand(to, request) } };
    }
    if (this.#answer?.kind === "maintenance") {
      const { message, retryAfterMs } = this.#answer;
      return { status: 503, message, headers: { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) } };
    }
    return request.contentLength > this.#bodyBytes ? { status: 413, message: "the request's body is too large for this route" } : null;
  }
}

function rateOf({ requests, perMs, burst }: RateLimit, routers: number): RateLimit {
  return { requests, perMs: perMs * routers, burst: Math.max(1, burst / routers) };
}

/** What a request says of itself was checked to hold nothing that could end the line. */
function expand(to: string, { host, path, target }: GateRequest): string {
  return to.replace(/\{(host|path|uri)\}/g, (_, name: string) => (name === "host" ? host.name : name === "path" ? path : target));
}
