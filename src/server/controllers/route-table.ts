import type { AppId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { type Claim, isSame, winner } from "#plan/routes/claims.ts";
import { listenerKey } from "#plan/routes/plan-routes.ts";

/** A route that an app wants and does not get. */
export interface LostClaim {
  readonly listener: string;
  /** The app that has it. */
  readonly holder: AppId;
}

/** The routes of all apps, kept by app, with one winner for each host and path and each port. */
export class RouteTable {
  readonly #wanted = new Map<AppId, ReadonlyMap<RouteId, Claim>>();
  readonly #claims = new Map<string, Map<RouteId, Claim>>();
  readonly #held = new Map<RouteId, Route>();

  /** What is in force, by route id. */
  get routes(): ReadonlyMap<RouteId, Route> {
    return this.#held;
  }

  /** Replaces an app's part. @returns ids of the routes in force that changed, appeared or went, in the app or in others that it had displaced. */
  set(app: AppId, routes: readonly Route[], appCreatedAtMs: number): ReadonlySet<RouteId> {
    const before = this.#wanted.get(app);
    const after = new Map(routes.map((route) => [route.id, { route, appCreatedAtMs }]));
    const touched = new Set<string>();
    for (const [id, claim] of before ?? []) {
      const next = after.get(id);
      if (next !== undefined && next.appCreatedAtMs === appCreatedAtMs && isSame(claim.route, next.route)) continue;
      const key = listenerKey(claim.route.listener);
      this.#claims.get(key)?.delete(id);
      touched.add(key);
    }
    for (const [id, claim] of after) {
      const key = listenerKey(claim.route.listener);
      const claims = this.#claims.get(key) ?? new Map<RouteId, Claim>();
      if (isSame(claims.get(id)?.route, claim.route)) continue;
      claims.set(id, claim);
      this.#claims.set(key, claims);
      touched.add(key);
    }
    if (after.size === 0) this.#wanted.delete(app);
    else this.#wanted.set(app, after);
    return this.#settle(touched, before);
  }

  /** Every route that an app wants, and for those whose place another app has, which one. */
  *wanted(): Generator<{ readonly route: Route; readonly holder: AppId | null }, void, void> {
    for (const claims of this.#wanted.values())
      for (const { route } of claims.values()) yield { route, holder: this.#held.has(route.id) ? null : this.#holderOf(route) };
  }

  /** Routes of the app that others have. */
  lost(app: AppId): readonly LostClaim[] {
    const lost: LostClaim[] = [];
    for (const { route } of this.#wanted.get(app)?.values() ?? []) {
      if (this.#held.has(route.id)) continue;
      const holder = this.#holderOf(route);
      if (holder !== null) lost.push({ listener: listenerKey(route.listener), holder });
    }
    return lost;
  }

  #holderOf({ listener }: Route): AppId | null {
    const holder = winner([...(this.#claims.get(listenerKey(listener))?.values() ?? [])]);
    return holder === null ? null : (`${holder.route.space}/${holder.route.app}` as AppId);
  }

  #settle(touched: ReadonlySet<string>, before: ReadonlyMap<RouteId, Claim> | undefined): ReadonlySet<RouteId> {
    const changed = new Set<RouteId>();
    const drop = (id: RouteId) => {
      if (this.#held.delete(id)) changed.add(id);
    };
    for (const key of touched) {
      const claims = [...(this.#claims.get(key)?.values() ?? [])];
      if (claims.length === 0) this.#claims.delete(key);
      const first = winner(claims);
      for (const { route } of claims) if (route.id !== first?.route.id) drop(route.id);
      if (first !== null && !isSame(this.#held.get(first.route.id), first.route)) {
        this.#held.set(first.route.id, first.route);
        changed.add(first.route.id);
      }
    }
    for (const [id, { route }] of before ?? []) {
      if (touched.has(listenerKey(route.listener)) && !this.#claims.get(listenerKey(route.listener))?.has(id)) drop(id);
    }
    return changed;
  }
}
