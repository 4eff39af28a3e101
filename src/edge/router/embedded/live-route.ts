import type { Route } from "#model/routing-table.ts";
import type { Choice, LiveTarget } from "./choice.ts";
import { choose } from "./choice.ts";
import type { EdgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import { HeldRequests } from "./held-requests.ts";
import { type Limits, limitsOf } from "./limits.ts";
import { RouteGate } from "./policy/gate.ts";
import { Stickiness } from "./policy/stickiness.ts";
import type { RouteGuard } from "./tls/guard.ts";
import { type UpstreamTls, upstreamTls } from "./tls/upstream-tls.ts";

const distrustEveryMs = 60_000;

/** A route as connections use it: the same object as long as the route exists, so that open connections see every change. */
export class LiveRoute {
  /** What it asks of connections; null for nothing. */
  guard: RouteGuard | null = null;
  readonly held: HeldRequests;
  readonly #context: EdgeContext;
  #route: Route;
  #targets: readonly LiveTarget[] = [];
  #limits: Limits;
  #logShare: number;
  #speaksHttp2: boolean;
  #upstreamTls: UpstreamTls | null;
  #distrustToldMs = Number.NEGATIVE_INFINITY;
  #gate: RouteGate | null;
  #sticky: Stickiness | null;

  constructor(route: Route, context: EdgeContext, signal: AbortSignal) {
    this.#context = context;
    this.#route = route;
    this.#limits = limitsOf(context.limits, route.policy?.limits);
    this.#logShare = route.policy?.logShare ?? 0;
    this.#speaksHttp2 = route.policy?.upstream?.protocol === "h2c";
    this.#upstreamTls = this.#makeUpstreamTls(route);
    this.#gate = RouteGate.of(route.policy, context.limits.routers);
    this.#sticky = stickinessOf(route);
    this.held = new HeldRequests(this, context, signal);
  }

  get route(): Route {
    return this.#route;
  }

  /** What the policy means is worked out here, so that no request has to. Counters of rates stay while the policy does. */
  set route(route: Route) {
    const before = this.#route.policy;
    const isSame = JSON.stringify(before) === JSON.stringify(route.policy);
    const isSameUpstream = isSame || JSON.stringify(before?.upstream) === JSON.stringify(route.policy?.upstream);
    // Its connections and sessions stay while what they were verified by does.
    if (!isSameUpstream) this.#upstreamTls = this.#makeUpstreamTls(route);
    this.#route = route;
    if (isSame) return;
    this.#limits = limitsOf(this.#context.limits, route.policy?.limits);
    this.#logShare = route.policy?.logShare ?? 0;
    this.#speaksHttp2 = route.policy?.upstream?.protocol === "h2c";
    this.#gate = RouteGate.of(route.policy, this.#context.limits.routers);
    this.#sticky = stickinessOf(route);
    this.#sticky?.use(this.#targets);
  }

  get targets(): readonly LiveTarget[] {
    return this.#targets;
  }

  set targets(targets: readonly LiveTarget[]) {
    this.#targets = targets;
    this.#sticky?.use(targets);
  }

  /** The edge's limits, with the route's own in their place. */
  get limits(): Limits {
    return this.#limits;
  }

  /** How long a request waits for an instance: for the first one of a route that wakes as long as that takes to start. */
  get holdMs(): number {
    const { wakes } = this.#route;
    return wakes !== undefined && this.#targets.every(({ endpoints }) => endpoints.length === 0) ? wakes.holdMs : this.#limits.holdMs;
  }

  /** Whether something waits for an instance or is open at one. */
  get isBusy(): boolean {
    return this.held.size > 0 || this.#targets.some(({ endpoints }) => endpoints.some(({ open }) => open > 0));
  }

  /** Whether its instances speak HTTP/2 alone. */
  get speaksHttp2(): boolean {
    return this.#speaksHttp2;
  }

  /** How its instances are spoken to over TLS; null: without. */
  get upstreamTls(): UpstreamTls | null {
    return this.#upstreamTls;
  }

  get gate(): RouteGate | null {
    return this.#gate;
  }

  get sticky(): Stickiness | null {
    return this.#sticky;
  }

  /** Whether answers that can be are compressed. */
  get compresses(): boolean {
    return this.#route.policy?.compress !== false;
  }

  /** Whether requests without a trace get one. */
  get startsTraces(): boolean {
    return this.#route.policy?.trace === true;
  }

  /** Share of its requests in the access log. */
  get logShare(): number {
    return this.#logShare;
  }

  /** @param kept the request's header lines */
  choose(tried: readonly Endpoint[], kept = ""): Choice | null {
    const { random, clock } = this.#context;
    const targets = this.#targets;
    const [target] = targets;
    const endpoint = target?.endpoints[0];
    // By far the most frequent case needs no dice.
    if (target !== undefined && endpoint !== undefined && targets.length === 1 && target.endpoints.length === 1 && target.weight > 0)
      return tried.includes(endpoint) ? null : { target, endpoint };
    const nowMs = clock.monotonicMs();
    if (this.#sticky !== null) {
      const { choice, target: own } = this.#sticky.find(kept);
      if (choice !== null && choice.endpoint.ejectedUntilMs <= nowMs && !tried.includes(choice.endpoint)) return choice;
      const again = own === null ? null : choose({ targets: [own], tried, random, nowMs });
      if (again !== null) return again;
    }
    return choose({ targets, tried, random, nowMs });
  }

  /** An instance was not let to have a request: told once a minute, however many requests ask. */
  distrust(endpoint: Endpoint, error: Error): void {
    const { clock, log } = this.#context;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#distrustToldMs + distrustEveryMs) return;
    this.#distrustToldMs = nowMs;
    log.warn("instance is not trusted", { route: this.#route.id, instance: endpoint.instance.id, error: error.message });
  }

  #makeUpstreamTls({ id, policy }: Route): UpstreamTls | null {
    return upstreamTls(policy?.upstream, (error) =>
      this.#context.log.error("the authority of a route's instances cannot be read", { route: id, error: String(error) }),
    );
  }

  /** Where a request is counted that reached no instance: the release that most likely would have had it. */
  heaviest(): LiveTarget | null {
    let heaviest: LiveTarget | null = null;
    for (const target of this.#targets) if (heaviest === null || target.weight > heaviest.weight) heaviest = target;
    return heaviest;
  }
}

function stickinessOf(route: Route): Stickiness | null {
  const sticky = route.policy?.sticky;
  return sticky === undefined ? null : new Stickiness(route, sticky);
}
