import type { Clock } from "#model/clock.ts";
import type { EventSink } from "../events/event-log.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Store } from "../store/store.ts";

/** What every operation works with. */
export interface OperationContext {
  readonly store: Store;
  readonly secrets: Secrets;
  readonly events: EventSink;
  readonly clock: Clock;
  /** Ports on this machine that are Drover's own, so that no app gets them. */
  readonly reservedPorts: ReadonlySet<number>;
  /** Whether traffic between machines is encrypted, which datagrams cannot be. Default false. */
  readonly isEncrypted?: boolean;
}
