import type { InstanceId, RouteId } from "./names.ts";

/** Where a connection has to arrive for a route to apply. */
export type Listener =
  /** The edge's public HTTP port: chosen by host and path. */
  | { readonly kind: "public"; readonly host: string; readonly path: string }
  /** A loopback port of its own, the address that `needs` hands out: everything that arrives there belongs to the route. */
  | { readonly kind: "service"; readonly port: number; readonly protocol: "http" | "tcp" };

export interface Endpoint {
  readonly instance: InstanceId;
  readonly host: string;
  readonly port: number;
}

/** A share of a route's traffic that goes to one release. */
export interface Target {
  readonly release: number;
  /** Relative to the other targets of the route; 0 takes nothing. */
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
}

export interface Route {
  readonly id: RouteId;
  /** For metrics and for the words of error pages. */
  readonly space: string;
  readonly app: string;
  readonly process: string;
  readonly listener: Listener;
  readonly targets: readonly Target[];
}

/** All that an edge knows. */
export interface RoutingTable {
  readonly epoch: number;
  readonly revision: number;
  readonly routes: readonly Route[];
}

export interface RoutingPatch {
  readonly epoch: number;
  /** The revision that the patch applies to; on any other the edge asks for the whole table. */
  readonly from: number;
  readonly revision: number;
  readonly set: readonly Route[];
  readonly remove: readonly RouteId[];
}

/** What an edge reports about one instance that left the table: requests and connections still on it. */
export interface Draining {
  readonly instance: InstanceId;
  readonly open: number;
}

/** Counters since the edge started, for one route and release. */
export interface TargetTraffic {
  readonly route: RouteId;
  readonly release: number;
  readonly requests: number;
  /** Answers of 500 and above, and requests that got none. */
  readonly errors: number;
  /** Body bytes of requests, as they were sent on, and bytes of answers. Counted when a request is over. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Counts for each of `latencyBoundsMs` and, last, for all above. */
  readonly latency: readonly number[];
}

/** Upper bounds of the latency histogram's buckets in milliseconds. */
export const latencyBoundsMs = [1, 2, 5, 10, 20, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800] as const;
