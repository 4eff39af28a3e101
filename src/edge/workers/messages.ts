import type { CertificateChange } from "#model/certificates.ts";
import type { RouteId } from "#model/names.ts";
import type { Draining, Route, TargetTraffic } from "#model/routing-table.ts";
import type { IdleConnections, ListenerProblem } from "../router/router.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What the edge tells a worker. */
export type ToWorker =
  /** A part of a change of the table; in force once its last part has come. The first change is the whole table. */
  | {
      readonly kind: "routes";
      readonly change: number;
      readonly set: readonly Route[];
      readonly remove: readonly RouteId[];
      readonly isLast: boolean;
    }
  /** Serve, once every change before this is in force: at the public address, too, unless it is null. */
  | { readonly kind: "serve"; readonly change: number; readonly http: Address | null }
  /** In force for new connections once it is answered with `applied`. */
  | { readonly kind: "certificates"; readonly change: number; readonly certificates: CertificateChange }
  /** Take connections at the address for TLS. */
  | { readonly kind: "serveTls"; readonly https: Address }
  /** Take no new connections from outside, which is so once it is answered with `applied`; what is open there is finished within this time. */
  | { readonly kind: "closePublic"; readonly change: number; readonly withinMs: number }
  /** The answer to `open`, with the socket unless there is an error. */
  | { readonly kind: "socket"; readonly call: number; readonly error?: { readonly code: string; readonly message: string } }
  /** Asks for everything counted so far: `traffic`, then `reported`. */
  | { readonly kind: "report"; readonly call: number }
  /** Take no new connections, finish what is under way within this time, end. */
  | { readonly kind: "close"; readonly withinMs: number; readonly idle: IdleConnections };

/** What a worker tells the edge. */
export type FromWorker =
  | { readonly kind: "applied"; readonly change: number }
  /** The answer to `serve`. */
  | { readonly kind: "serving"; readonly change: number }
  /** Asks for the socket of an address. */
  | { readonly kind: "open"; readonly call: number; readonly address: Address }
  /** Listens there no more. */
  | { readonly kind: "released"; readonly address: Address }
  | { readonly kind: "draining"; readonly counts: readonly Draining[] }
  /** What was counted since the last of these. */
  | { readonly kind: "traffic"; readonly since: readonly TargetTraffic[] }
  /** A request waits for the first instance of a route that wakes. */
  | { readonly kind: "wanted"; readonly route: RouteId }
  /** All routes that wake and at which something waits or is open, told when they are others than before. */
  | { readonly kind: "busy"; readonly routes: readonly RouteId[] }
  | { readonly kind: "problems"; readonly problems: readonly ListenerProblem[] }
  | { readonly kind: "reported"; readonly call: number };
