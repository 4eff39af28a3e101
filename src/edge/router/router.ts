import type { CertificateChange } from "#model/certificates.ts";
import type { RouteId } from "#model/names.ts";
import type { Draining, Route, TargetTraffic } from "#model/routing-table.ts";

/** What changes between two tables. A route in `set` replaces the one with its id. */
export interface TableChange {
  readonly set: readonly Route[];
  readonly remove: readonly RouteId[];
}

/**
 * `close`: closed now. `answer`: each is answered once more, and told that this was the last: a client that sends a request at the moment in which
 * its connection is closed cannot know whether it was read.
 */
export type IdleConnections = "close" | "answer";

/** A route that is not carried as the table says: its address could not be opened, which is tried again until it can, or the router cannot do it. */
export interface ListenerProblem {
  readonly route: RouteId;
  /** Null: it is not about a port. */
  readonly port: number | null;
  readonly code: string;
  readonly message: string;
}

/** Carries traffic by the routes that it is given. The embedded one is Drover's own; others drive a proxy beside it. */
export interface Router {
  /** Resolves once the change is in force; a port that is taken is a problem of its route and fails nothing else. */
  apply(change: TableChange): Promise<void>;
  /** Resolves once new connections get what changed; open ones go on. */
  certify(change: CertificateChange): Promise<void>;
  problems(): readonly ListenerProblem[];
  /** Open counts of instances that left the table, first those that left before the call. Endless, until the signal aborts. */
  draining(signal: AbortSignal): AsyncIterable<Draining>;
  /** Routes whose requests wait for their first instance, as they begin to and about every second. Null: it holds none. Endless, until the signal aborts. */
  wanted(signal: AbortSignal): AsyncIterable<RouteId> | null;
  traffic(): readonly TargetTraffic[] | Promise<readonly TargetTraffic[]>;
  /**
   * Takes no new connections from outside, at the public addresses and the ports that routes have there. Those that are open finish what they have within
   * `withinMs`, then they are cut. Resolves once nobody new is taken.
   */
  closePublic(withinMs: number): Promise<void>;
  /**
   * Takes no new connections, lets what is under way finish within `withinMs`, then cuts the rest. Called again, the shorter time holds.
   * @param idle what becomes of connections that wait for their next request. Default `close`.
   */
  close(withinMs: number, idle?: IdleConnections): Promise<void>;
}
