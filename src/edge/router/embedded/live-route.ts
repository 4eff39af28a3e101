import type { Route } from "#model/routing-table.ts";
import type { Choice, LiveTarget } from "./choice.ts";
import { choose } from "./choice.ts";
import type { EdgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import { HeldRequests } from "./held-requests.ts";
import type { RouteGuard } from "./tls/guard.ts";

/** A route as connections use it: the same object as long as the route exists, so that open connections see every change. */
export class LiveRoute {
  route: Route;
  targets: readonly LiveTarget[] = [];
  /** What it asks of connections; null for nothing. */
  guard: RouteGuard | null = null;
  readonly held: HeldRequests;
  readonly #context: EdgeContext;

  constructor(route: Route, context: EdgeContext, signal: AbortSignal) {
    this.route = route;
    this.#context = context;
    this.held = new HeldRequests(this, context, signal);
  }

  choose(tried: readonly Endpoint[]): Choice | null {
    const { random, clock } = this.#context;
    const [target] = this.targets;
    const endpoint = target?.endpoints[0];
    // By far the most frequent case needs no dice.
    if (target !== undefined && endpoint !== undefined && this.targets.length === 1 && target.endpoints.length === 1 && target.weight > 0)
      return tried.includes(endpoint) ? null : { target, endpoint };
    return choose({ targets: this.targets, tried, random, nowMs: clock.monotonicMs() });
  }

  /** Where a request is counted that reached no instance: the release that most likely would have had it. */
  heaviest(): LiveTarget | null {
    let heaviest: LiveTarget | null = null;
    for (const target of this.targets) if (heaviest === null || target.weight > heaviest.weight) heaviest = target;
    return heaviest;
  }
}
