import type { InstanceId, RouteId } from "./names.ts";

/** Where a connection has to arrive for a route to apply. */
export type Listener =
  /** The edge's public HTTP ports, with or without TLS. The most specific wins: exact host before wildcard, longest path, most conditions. */
  | {
      readonly kind: "public";
      /** A name, `*.` and a name for any one label in front of it, or `*` for every host. */
      readonly host: string;
      /** A prefix that ends where a segment ends. */
      readonly path: string;
      /** All of them have to match; left out, none is asked for. */
      readonly when?: RequestConditions;
    }
  /** The edge's TLS port: connections whose ClientHello asks for the host go to the app as they are, which ends TLS itself. */
  | { readonly kind: "passthrough"; readonly host: string }
  /** A public port of its own, for what is not HTTP. */
  | { readonly kind: "port"; readonly port: number; readonly protocol: "tcp" | "udp" }
  /** A loopback port of its own, the address that `needs` hands out: everything that arrives there belongs to the route. */
  | { readonly kind: "service"; readonly port: number; readonly protocol: "http" | "tcp" }
  /** No connection: what DNS says of a process that has a port. */
  | {
      readonly kind: "name";
      /** `process.app.space`, without the zone. */
      readonly name: string;
      /** The app's own name leads to it too. */
      readonly isMain: boolean;
      readonly protocol: "http" | "tcp";
      /** Its service address, while that is open. */
      readonly servicePort: number | null;
    };

export interface RequestConditions {
  /** By name in lower case; null asks only that the header be there. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly methods?: readonly string[];
}

/** How a route treats its requests beyond finding an instance. A missing key takes the edge's default. */
export interface RoutePolicy {
  readonly tls?: RouteTls;
  /** A client stays with the release and, while it is there, the instance that served it first: by a cookie of the edge's own. */
  readonly sticky?: { readonly forMs: number };
  readonly limits?: RouteLimits;
  /** Answers in place of the app. */
  readonly answer?: /** `{host}`, `{path}` (without the query) and `{uri}` (with it) in `to` are taken from the request. */
    | { readonly kind: "redirect"; readonly to: string; readonly status: 301 | 302 | 307 | 308 }
    | { readonly kind: "maintenance"; readonly message: string; readonly retryAfterMs: number };
  /** Compresses answers of text-like types that the app left uncompressed. Default true. */
  readonly compress?: boolean;
  /** Share of requests in the access log, 0 to 1; failed ones are always in it. Default 0. */
  readonly logShare?: number;
  /** Starts a W3C trace for requests that are part of none. One that a client has begun goes on either way. Default false. */
  readonly trace?: boolean;
  /** What the instances speak. Default http1. */
  readonly upstream?: RouteUpstream;
  /** For passthrough and port routes: the PROXY protocol's header, version 2, is expected of clients or sent to instances. */
  readonly proxyProtocol?: { readonly from?: boolean; readonly to?: boolean };
}

export interface RouteTls {
  /** `redirect`: plain HTTP is sent on to HTTPS; `both`: served on both; `off`: plain HTTP only. Default redirect where there is a certificate, else off. */
  readonly mode?: "redirect" | "both" | "off";
  /** Strict-Transport-Security for so long; 0 sends none. */
  readonly hstsMs?: number;
  /** Clients must show a certificate of this authority. */
  readonly client?: { readonly caPem: string; readonly crlPem?: string };
}

export interface RouteLimits {
  /** Of the whole request head; never above the edge's own limit. */
  readonly headBytes?: number;
  readonly bodyBytes?: number;
  /** The least that a body may come at, in bytes a second; 0 for none. */
  readonly bodyRate?: number;
  /** From the end of the request's head to the end of its answer. */
  readonly requestMs?: number;
  /** Without a byte either way. */
  readonly idleMs?: number;
  /** Until the first byte of an answer. */
  readonly answerMs?: number;
  readonly rate?: RateLimit;
  readonly ratePerClient?: RateLimit;
}

/** A bucket of `burst` requests that fills at `requests` for each `perMs`. */
export interface RateLimit {
  readonly requests: number;
  readonly perMs: number;
  readonly burst: number;
}

export type RouteUpstream =
  | { readonly protocol: "http1" | "h2c" }
  /** `caPem` left out: the machine's own authorities. `verify: false` is shown wherever the route is. */
  | { readonly protocol: "https"; readonly verify: boolean; readonly caPem?: string; readonly serverName?: string };

export interface Endpoint {
  readonly instance: InstanceId;
  readonly host: string;
  readonly port: number;
  /** The instance is reached over TLS by its machine's entry, which is on `port` of the same host and has this name. Left out: plainly. */
  readonly entry?: { readonly name: string; readonly port: number };
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
  readonly policy?: RoutePolicy;
  /** Without an instance, requests wait so long for one, and the server is told that they do. Left out: nobody starts one for them. */
  readonly wakes?: { readonly holdMs: number };
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
  /** All of them together, in milliseconds; edges of before this was counted leave it out. */
  readonly latencySumMs?: number;
  /** Requests by the class of their answer: 1xx (upgrades), 2xx, 3xx, 4xx, 5xx. Those without an answer are in none. */
  readonly classes: readonly number[];
  /** Of a route that wakes alone: whether something waits for an instance or is open at one, at the moment. Left out by an edge that cannot tell. */
  readonly isBusy?: boolean;
}

/** Upper bounds of the latency histogram's buckets in milliseconds. */
export const latencyBoundsMs = [1, 2, 5, 10, 20, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800] as const;
