import { type ErrorCode, errorCodes, isErrorCode } from "./errors.ts";

/**
 * - `error`: something that should work does not.
 * - `warning`: it may become that, or is less safe than it should be.
 * - `info`: on its way, or as somebody asked.
 */
export type Severity = "error" | "warning" | "info";

export interface Condition {
  readonly severity: Severity;
  /** What it is a condition of. */
  readonly of: "app" | "instance" | "machine" | "check" | "edge" | "certificate" | "server" | "store";
  /** What it means and where it comes from: a sentence. */
  readonly cause: string;
  /** The next step: a sentence. */
  readonly remedy: string;
}

/** Every condition that Drover shows of what it looks after, by its stable code. What refuses a request is in `errors.ts`. */
export const conditions = {
  STOPPED: {
    severity: "info",
    of: "app",
    cause: "Somebody stopped the app.",
    remedy: "`drover start APP` starts it.",
  },
  DESTROYING: {
    severity: "info",
    of: "app",
    cause: "Somebody destroyed the app; what is left of it is being stopped.",
    remedy: "Wait; it is gone once its instances have ended.",
  },
  NO_RELEASE: {
    severity: "info",
    of: "app",
    cause: "The app is declared, and there is nothing yet that it could run.",
    remedy: "Push its source, or give it a `run`.",
  },
  WAITING: {
    severity: "info",
    of: "app",
    cause: "A deploy or a start waits for what the message names.",
    remedy: "Wait; if it takes long, look at what it waits for.",
  },
  ASLEEP: {
    severity: "info",
    of: "app",
    cause: "It is scaled to none while nobody asks for it, as its `scale` says.",
    remedy: "Ask for it: the first request starts an instance and waits for it.",
  },
  NEED_NOT_READY: {
    severity: "warning",
    of: "app",
    cause: "An app that it names in `needs` has no ready instance.",
    remedy: "Look at that one with `drover why`.",
  },
  ROUTE_CONFLICT: {
    severity: "warning",
    of: "app",
    cause: "Another app had the same host and path, or port, before.",
    remedy: "Give one of the two another route.",
  },
  UPSTREAM_UNVERIFIED: {
    severity: "warning",
    of: "app",
    cause: "The route says `verify: false`, so the edge takes any certificate of its instances.",
    remedy: "Give the instances a certificate that can be checked, and take `verify: false` out.",
  },
  CANNOT_PLACE: {
    severity: "error",
    of: "app",
    cause: "No machine that it may run on has the processors, memory or port that it asks for.",
    remedy: "Ask for less in `resources`, change `place`, or add a machine.",
  },
  RELEASE_FAILED: {
    severity: "error",
    of: "app",
    cause: "A release did not become ready in time, crashed, or its `before` command failed.",
    remedy: "Read the last lines in `drover why` or `drover logs`, mend it, and deploy again.",
  },
  RELEASE_NOT_FOUND: {
    severity: "error",
    of: "app",
    cause: "The release that is wanted is not kept any more.",
    remedy: "Deploy again, or go back to one that is listed in `drover releases`.",
  },
  AHEAD_OF_RESTORE: {
    severity: "warning",
    of: "app",
    cause: "The server was restored from a backup, and what runs is newer than what that knows; it goes on until people decide.",
    remedy: "`drover restore ls` says what may be done.",
  },
  STARTING: {
    severity: "info",
    of: "instance",
    cause: "A port is sought, the artifact is fetched, or its process has just begun.",
    remedy: "Wait.",
  },
  RESTARTING: {
    severity: "info",
    of: "instance",
    cause: "It is being replaced in place, because somebody asked for it or its order changed.",
    remedy: "Wait.",
  },
  DRAINING: {
    severity: "info",
    of: "instance",
    cause: "It takes no new requests and finishes what it has.",
    remedy: "Wait; `stop.drain` says for how long at most.",
  },
  STOPPING: {
    severity: "info",
    of: "instance",
    cause: "It has got its signal.",
    remedy: "Wait; `stop.grace` says for how long at most.",
  },
  NOT_READY: {
    severity: "warning",
    of: "instance",
    cause: "Its process runs, and its `ready` probe has not passed.",
    remedy: "Read its output with `drover logs`.",
  },
  NOT_RUNNING: {
    severity: "warning",
    of: "instance",
    cause: "It is wanted and has no running process.",
    remedy: "Read what came before with `drover events`.",
  },
  EXITED: {
    severity: "warning",
    of: "instance",
    cause: "Its process ended without being asked to; it is started again after a pause that grows.",
    remedy: "Read its last lines with `drover logs`.",
  },
  CRASHED: {
    severity: "error",
    of: "instance",
    cause: "Its process ended without being asked to, by itself or by a signal.",
    remedy: "Read its last lines with `drover logs`; what changed before is in `drover timeline`.",
  },
  OUT_OF_MEMORY: {
    severity: "error",
    of: "instance",
    cause: "It needed more than `resources.memory`, and the kernel ended it.",
    remedy: "Raise `resources.memory`, or find what takes it: `drover top` shows how it grows.",
  },
  NOT_LISTENING: {
    severity: "error",
    of: "instance",
    cause: "Nothing listens on the port that it was given; the app may ignore $PORT.",
    remedy: "Have it listen on $PORT, or state its own as `port`.",
  },
  LISTENS_OUTSIDE: {
    severity: "warning",
    of: "instance",
    cause: "It listens at an address that others reach without the edge.",
    remedy: "Have it listen on 127.0.0.1.",
  },
  NO_PORT: {
    severity: "error",
    of: "instance",
    cause: "Its probe needs a port, and it has none.",
    remedy: "Give the process a port, or probe it with `run`.",
  },
  PORT_TAKEN: {
    severity: "error",
    of: "instance",
    cause: "Another program listens on the port that it was given.",
    remedy: "Wait: it gets another one. With a port of its own in the manifest, end the other program.",
  },
  PORT_IN_USE: {
    severity: "error",
    of: "edge",
    cause: "Another program has the port that an instance or a route needs.",
    remedy: "End that program, or choose another port.",
  },
  PROBE_FAILED: {
    severity: "warning",
    of: "instance",
    cause: "Its `ready` probe fails; the message says how.",
    remedy: "Ask it the same yourself with `drover exec`, and read its output.",
  },
  NOT_ALIVE: {
    severity: "error",
    of: "instance",
    cause: "Its `alive` probe failed as often as it may; it is restarted.",
    remedy: "Read its output from before with `drover logs`.",
  },
  STUCK_IN_KERNEL: {
    severity: "error",
    of: "instance",
    cause: "A process of it cannot be ended, mostly because a disk or a network file system does not answer.",
    remedy: "Look at the machine's disks; only they, or a restart of the machine, let it go.",
  },
  TIMED_OUT: {
    severity: "error",
    of: "instance",
    cause: "It ran longer than it may.",
    remedy: "Give it more time, or have it do less.",
  },
  ARTIFACT_MISSING: {
    severity: "info",
    of: "instance",
    cause: "What it runs is still being copied to its machine.",
    remedy: "Wait; if it stays, push again.",
  },
  LEASE_OVER: {
    severity: "warning",
    of: "instance",
    cause: "It must never run twice, and its machine has not heard from the server that it may run there.",
    remedy: "See that the machine reaches the server.",
  },
  AGENT_UNLINKED: {
    severity: "error",
    of: "machine",
    cause: "The agent is not linked to the server: it has ended, or the network between them is gone.",
    remedy: "See that `drover up` runs there and reaches the server. What runs there goes on meanwhile.",
  },
  DRAIN_STUCK: {
    severity: "warning",
    of: "machine",
    cause:
      "What a machine that is drained runs can go nowhere else: no other machine is as the app asks, or has room, or its volumes are there.",
    remedy:
      "Do what the message names: give another machine the label or the room, change `place`, add `--force` for volumes, or `drover machine uncordon` it.",
  },
  CHECK_FAILING: {
    severity: "error",
    of: "check",
    cause: "A promise that is tested from outside does not hold.",
    remedy: "`drover check history` shows since when, `drover timeline` what happened before.",
  },
  CHECK_IMPOSSIBLE: {
    severity: "warning",
    of: "check",
    cause: "The check cannot be made from where it should be, so it says nothing either way.",
    remedy: "Mend the check, or what the message names.",
  },
  PERSON_NEEDED: {
    severity: "error",
    of: "check",
    cause: "An escalation waits for approval, or has tried all that it may.",
    remedy: "`drover escalation ls` shows which; approve, mend or acknowledge it.",
  },
  POOL_SHORT: {
    severity: "warning",
    of: "machine",
    cause: "A pool needs more machines than its rules may or can add.",
    remedy: "Add what the message names: raise `max`, give more hosts, or set `grow: auto`.",
  },
  POOL_STUCK: {
    severity: "warning",
    of: "machine",
    cause:
      "A machine that a pool's rules add does not come, or one that they take away does not go. They go on trying, less and less often.",
    remedy: "Mend what the message names; `drover pool show` and `drover events` have the words of its provider.",
  },
  PROVIDER_SILENT: {
    severity: "warning",
    of: "machine",
    cause: "A pool's provider, or the controller of one of its machines, does not say how they are. They are taken to be as they were.",
    remedy: "Do what the message says; rules and ladders go on with the machines that are known.",
  },
  EDGE_UNLINKED: {
    severity: "error",
    of: "edge",
    cause: "No edge is linked; if one runs, it serves its last table.",
    remedy: "Read the edge's log; beside `drover up` it is started again by itself.",
  },
  EDGE_NOWHERE: {
    severity: "error",
    of: "edge",
    cause: "Machines are chosen that take what comes from outside (`--edges`), and none of them has an edge that is linked.",
    remedy: "Label one with `drover machine label`, or bring back those that the message names; one that still runs serves its last table.",
  },
  EDGE_SILENT: {
    severity: "error",
    of: "edge",
    cause: "An edge is linked and does not answer.",
    remedy: "Read its log, and restart it with `drover edge restart`: no request fails by that.",
  },
  EDGE_INCOMPLETE: {
    severity: "error",
    of: "edge",
    cause: "An edge does not carry a route as it is wanted; the message says why.",
    remedy: "Change the route, or the router that the edge runs.",
  },
  WORKERS_CRASHING: {
    severity: "error",
    of: "edge",
    cause: "Workers of an edge end again and again.",
    remedy: "Read the edge's log; that is a defect to report.",
  },
  ENTRY_CLOSED: {
    severity: "error",
    of: "edge",
    cause: "An edge cannot listen for the edges of other machines.",
    remedy: "End what has that port, or say another one.",
  },
  CERTIFICATE_REFUSED: {
    severity: "error",
    of: "certificate",
    cause: "The router does not take a certificate; the message says why.",
    remedy: "Give another one with `drover certificate add`.",
  },
  CERTIFICATE_EXPIRING: {
    severity: "warning",
    of: "certificate",
    cause: "A certificate ends soon, or has ended, and was not renewed.",
    remedy: "`drover certificate ls` says why its renewal failed; one from a file is replaced by `drover certificate add`.",
  },
  ACME_FAILED: {
    severity: "error",
    of: "certificate",
    cause: "The certificate authority refused an order or could not be reached; it is tried again, less and less often.",
    remedy: "Mend what the message names, mostly the name's DNS or its way through a firewall; then `drover certificate renew`.",
  },
  CERTIFICATES_STUCK: {
    severity: "error",
    of: "certificate",
    cause: "Certificates cannot be kept right; the message says why.",
    remedy: "Read the server's log.",
  },
  LOGS_NOT_TAKEN: {
    severity: "error",
    of: "server",
    cause: "A destination that a space sends its logs to has taken none for half a minute; they wait where they were printed.",
    remedy:
      "Mend what the message names; `drover shipping ls` shows how far it is behind. Nothing is lost for as long as the lines are kept.",
  },
  LOGS_LOST: {
    severity: "warning",
    of: "server",
    cause: "Lines were removed, because of their age or their number, before they could be sent to a destination within the last day.",
    remedy: "Have the destination take them sooner, or keep them for longer.",
  },
  LOGS_REFUSED: {
    severity: "warning",
    of: "server",
    cause:
      "A destination said of events within the last day that it will never take them; they were set aside, and `drover logs` still has them.",
    remedy: "Mend what the message names, mostly the receiver's mapping or its largest size.",
  },
  FIGURES_FULL: {
    severity: "warning",
    of: "server",
    cause: "There are more figures than are followed over time, or one app tells too many.",
    remedy: "Give them fewer labels.",
  },
  FIGURES_NOT_WRITTEN: {
    severity: "warning",
    of: "server",
    cause: "Figures over time cannot be written to disk.",
    remedy: "See that the disk of the server's home has room and takes writes.",
  },
  FIGURES_DAMAGED: {
    severity: "warning",
    of: "server",
    cause: "Files of figures over time are damaged; the others are there.",
    remedy: "Look at the disk; what is lost does not come back.",
  },
  INTERNAL: {
    severity: "error",
    of: "server",
    cause: "A defect in Drover.",
    remedy: "The server's log has the details; report it.",
  },
  STORAGE_FULL: {
    severity: "error",
    of: "store",
    cause: "The disk of the store is full; reads and traffic go on, and nothing can be changed.",
    remedy: "Make room on the disk of the server's home.",
  },
} as const satisfies Readonly<Record<string, Condition>>;

export type ConditionCode = keyof typeof conditions;

/** What a reason may say: a condition, or the code of the error that is behind it. */
export type ReasonCode = ConditionCode | ErrorCode;

export function isConditionCode(code: string): code is ConditionCode {
  return Object.hasOwn(conditions, code);
}

/** What is known of a code that is shown as the reason of something; null for one of a newer peer. An error that keeps something from being done is a condition of the server. */
export function describeCondition(code: string): Condition | null {
  if (isConditionCode(code)) return conditions[code];
  if (!isErrorCode(code)) return null;
  return { severity: "error", of: "server", cause: errorCodes[code].meaning, remedy: "The message says what to do." };
}

/** The code as it came from another program, if it is known here; else `otherwise`. */
export function knownCode(code: string, otherwise: ConditionCode): ReasonCode {
  return isConditionCode(code) || isErrorCode(code) ? code : otherwise;
}
