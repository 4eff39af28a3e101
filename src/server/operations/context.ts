import type { Clock } from "#model/clock.ts";
import type { AppId } from "#model/names.ts";
import type { EventSink } from "../events/event-log.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Store } from "../store/store.ts";

/** What every operation works with. */
export interface OperationContext {
  readonly store: Store;
  readonly secrets: Secrets;
  readonly events: EventSink;
  readonly clock: Clock;
  /** The newest release of an app that an agent tells of: a restored store has lost some. Default: none. @throws {DroverError} CLUSTER_UNREACHABLE */
  readonly newestRelease?: (app: AppId) => number;
  /** Ports on this machine that are Drover's own, so that no app gets them. */
  readonly reservedPorts: ReadonlySet<number>;
  /** Whether traffic between machines is encrypted, which datagrams cannot be. Default false. */
  readonly isEncrypted?: boolean;
}
