import type net from "node:net";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { RouteId } from "#model/names.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Http2Upstreams } from "./http2/http2-upstreams.ts";
import type { Limits } from "./limits.ts";
import type { MachineClients } from "./machines/machine-clients.ts";
import type { AccessLog } from "./policy/access-log.ts";
import type { RequestIds } from "./policy/request-ids.ts";
import type { TrustedProxies } from "./policy/trusted-proxies.ts";

/**
 * Makes a server listen at an address: on a socket of its own, or on one that several processes share.
 * @throws {Error} of `listen`, such as EADDRINUSE.
 */
export type Listen = (server: net.Server, address: { readonly host: string; readonly port: number }) => Promise<void>;

/** What every connection needs from outside. */
export interface EdgeContext {
  readonly clock: Clock;
  /** Numbers from 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  /** Connections to instances that speak HTTP/2. */
  readonly http2: Http2Upstreams;
  /** Connections to instances on other machines, where those are not plain. */
  readonly machines: MachineClients;
  readonly listen: Listen;
  readonly ids: RequestIds;
  readonly access: AccessLog;
  /** A request waits for the first instance of a route that wakes. Told again about every second while it does. */
  readonly onWanted: (route: RouteId) => void;
  /** Null if no proxy is trusted. */
  readonly trusted: TrustedProxies | null;
}
