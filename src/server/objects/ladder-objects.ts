import type { Escalation, Notice, Pause, Tell } from "#model/ladder.ts";
import type { EscalationId, MachineId, SpaceName, StepId } from "#model/names.ts";
import type { Target } from "#model/target.ts";
import type { Store } from "../store/store.ts";
import { parse, read, type Stored } from "./objects.ts";

/**
 * Where the Escalator's objects live in the store. Targets and ids hold slashes, so they are encoded.
 *
 *   /ladders/<space>                     StoredLadder
 *   /switches/<space>                    Switches
 *   /escalations/<space>/<id>            Escalation
 *   /pauses/<space>/<target>             Pause
 *   /notices/<space>/<key>               StoredNotice
 *   /steps/<space>/<step>                StepReceipt: what a built-in action did, so that it is done once
 *   /made/<space>/<escalation>/<machine> MadeMachine: what an open run made
 *   /deliveries/<space>/<id>             Delivery: what somebody is still to be told
 *   /acknowledge/<sha256 of the token>   AcknowledgeToken
 *   /escalator/leader                    Leader: the server that runs escalations
 */
export const ladderKeys = {
  ladder: (space: SpaceName) => `/ladders/${space}`,
  switches: (space: SpaceName) => `/switches/${space}`,
  escalation: (space: SpaceName, id: EscalationId) => `/escalations/${space}/${encodeURIComponent(id)}`,
  escalations: (space: SpaceName) => `/escalations/${space}/`,
  pause: (space: SpaceName, target: Target) => `/pauses/${space}/${encodeURIComponent(target)}`,
  pauses: (space: SpaceName) => `/pauses/${space}/`,
  notice: (space: SpaceName, key: string) => `/notices/${space}/${encodeURIComponent(key)}`,
  notices: (space: SpaceName) => `/notices/${space}/`,
  step: (space: SpaceName, step: StepId) => `/steps/${space}/${encodeURIComponent(step)}`,
  steps: (space: SpaceName) => `/steps/${space}/`,
  made: (space: SpaceName, escalation: EscalationId, machine: MachineId) => `/made/${space}/${encodeURIComponent(escalation)}/${machine}`,
  allMade: (space: SpaceName) => `/made/${space}/`,
  delivery: (space: SpaceName, id: string) => `/deliveries/${space}/${id}`,
  deliveries: (space: SpaceName) => `/deliveries/${space}/`,
  acknowledgeToken: (sha256: string) => `/acknowledge/${sha256}`,
  leader: "/escalator/leader",
} as const;

/** A space's ladder as it was applied. */
export interface StoredLadder {
  readonly space: SpaceName;
  /** As written, variables filled in. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** What people switch for a space as a whole. */
export interface Switches {
  /** The same decisions, recorded, and nothing done. */
  readonly isDryRun: boolean;
  readonly massAcknowledgedAtMs: number | null;
}

export const noSwitches: Switches = { isDryRun: false, massAcknowledgedAtMs: null };

/** One notice that one target is to be told. */
export interface Delivery {
  readonly id: string;
  readonly tell: Tell;
  readonly notice: Notice;
  readonly tries: number;
  readonly nextAtMs: number;
  /** It was tried as often as it may: kept to be seen, and not tried again. */
  readonly isDead: boolean;
  readonly lastError: string | null;
}

/** A machine that a run made, or set out to make. */
export interface MadeMachine {
  readonly level: string;
}

export interface AcknowledgeToken {
  readonly space: SpaceName;
  readonly escalation: EscalationId;
  readonly untilMs: number;
}

export interface Leader {
  readonly term: number;
}

export const ladderObjects = {
  ladder: (store: Store, space: SpaceName) => read<StoredLadder>(store, ladderKeys.ladder(space)),
  switches: (store: Store, space: SpaceName) => read<Switches>(store, ladderKeys.switches(space)),
  escalation: (store: Store, space: SpaceName, id: EscalationId) => read<Escalation>(store, ladderKeys.escalation(space, id)),
  escalations: (store: Store, space: SpaceName) => list<Escalation>(store, ladderKeys.escalations(space)),
  made: (store: Store, space: SpaceName, escalation: EscalationId, machine: MachineId) =>
    read<MadeMachine>(store, ladderKeys.made(space, escalation, machine)),
  pauses: (store: Store, space: SpaceName) => list<Pause>(store, ladderKeys.pauses(space)),
  notice: (store: Store, space: SpaceName, key: string) => read<Notice>(store, ladderKeys.notice(space, key)),
  notices: (store: Store, space: SpaceName) => list<Notice>(store, ladderKeys.notices(space)),
  deliveries: (store: Store, space: SpaceName) => list<Delivery>(store, ladderKeys.deliveries(space)),
  allDeliveries: (store: Store) => list<Delivery>(store, "/deliveries/"),
  acknowledgeToken: (store: Store, key: string) => read<AcknowledgeToken>(store, key),
  acknowledgeTokens: (store: Store) => list<AcknowledgeToken>(store, "/acknowledge/"),
  leader: (store: Store) => read<Leader>(store, ladderKeys.leader),
} as const;

function list<T>(store: Store, prefix: string): readonly Stored<T>[] {
  return store.list(prefix).map((entry) => parse<T>(entry));
}
