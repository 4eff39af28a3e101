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
  #gate: RouteGate | null;
  #sticky: Stickiness | null;

  constructor(route: Route, context: EdgeContext, signal: AbortSignal) {
    this.#context = context;
    this.#route = route;
    this.#limits = limitsOf(context.limits, route.policy?.limits);
    this.#logShare = route.policy?.logShare ?? 0;
    this.#speaksHttp2 = route.policy?.upstream?.protocol === "h2c";
    this.#gate = RouteGate.of(route.policy);
    this.#sticky = stickinessOf(route);
    this.held = new HeldRequests(this, context, signal);
  }

  get route(): Route {
    return this.#route;
  }

  /** What the policy means is worked out here, so that no request has to. Counters of rates stay while the policy does. */
  set route(route: Route) {
    const isSame = JSON.stringify(this.#route.policy) === JSON.stringify(route.policy);
    this.#route = route;
    if (isSame) return;
    this.#limits = limitsOf(this.#context.limits, route.policy?.limits);
    this.#logShare = route.policy?.logShare ?? 0;
    this.#speaksHttp2 = route.policy?.upstream?.protocol === "h2c";
    this.#gate = RouteGate.of(route.policy);
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

  /** Whether its instances speak HTTP/2 alone. */
  get speaksHttp2(): boolean {
    return this.#speaksHttp2;
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
