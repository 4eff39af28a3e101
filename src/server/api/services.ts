import type { StatusView, Version } from "#model/api.ts";
import type { Log } from "#model/log.ts";
import type { Lives } from "../access/lives.ts";
import type { Sessions } from "../access/sessions.ts";
import type { Authority } from "../certificates/authority.ts";
import type { CertificateController } from "../certificates/certificate-controller.ts";
import type { ControlPlane } from "../control-plane.ts";
import { type EventLog, type EventSink, signedBy } from "../events/event-log.ts";
import type { FigureSource } from "../figures/figure-source.ts";
import type { FigureStore } from "../figures/figure-store.ts";
import type { Additions } from "../members/additions.ts";
import type { RemoteLinks } from "../members/remote-links.ts";
import type { OperationContext } from "../operations/context.ts";
import type { PartStore } from "../programs/part-store.ts";
import type { Sealer } from "../secrets/sealer.ts";
import type { ExecTickets } from "./exec-tickets.ts";
import type { Call } from "./route.ts";

/** What the routes' handlers work with. */
export interface Services extends OperationContext {
  readonly events: EventLog;
  readonly controlPlane: ControlPlane;
  /** The links of other machines; null where none can join. */
  readonly remote: RemoteLinks | null;
  readonly additions: Additions;
  readonly certificates: Pick<CertificateController, "serving" | "failureOf" | "renew">;
  /** Figures over time, as they are followed here. */
  readonly figures: Pick<FigureStore, "state">;
  /** Who answers questions about them. */
  readonly source: FigureSource;
  readonly sealer: Sealer;
  readonly authority: () => Promise<Authority>;
  readonly tickets: ExecTickets;
  /** Parts of versions of Drover, on their way to machines. */
  readonly programs: PartStore;
  readonly sessions: Sessions;
  readonly lives: Lives;
  readonly webUi: {
    /** Somebody is about to open it. */
    prepare(): void;
    /** Where people reach it. */
    url(): string;
  };
  readonly log: Log;
  readonly startedAtMs: number;
  version(): Version;
  addresses(): StatusView["addresses"];
}

/** The services for what a caller changes: events say who. */
export function signed(services: Services, { caller }: Pick<Call, "caller">): Omit<Services, "events"> & { readonly events: EventSink } {
  return { ...services, events: signedBy(services.events, caller.name) };
}
