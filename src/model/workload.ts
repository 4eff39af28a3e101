import type { ReasonCode } from "./conditions.ts";
import type { LogKind } from "./log-kind.ts";
import type { LogMasks } from "./log-mask.ts";
import type { Digest, InstanceId, MachineId, WorkloadId } from "./names.ts";

/** How an instance is asked whether it is well. */
export interface Probe {
  readonly target:
    | { readonly kind: "http"; readonly path: string }
    | { readonly kind: "tcp" }
    | { readonly kind: "command"; readonly run: string };
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** Failures in a row that change the verdict from good to bad. */
  readonly failures: number;
}

export interface Resources {
  /** Cores; null: not stated. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly pids: number;
}

export type StopSignal = "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGHUP" | "SIGUSR1" | "SIGUSR2";

export interface StopRules {
  readonly signal: StopSignal;
  readonly drainMs: number;
  readonly graceMs: number;
}

/** What an engine is asked to run: one process of one release, at a count, in one cluster. Complete: starting it needs no other knowledge. */
export interface Workload {
  readonly id: WorkloadId;
  /** Store revision that this order derives from. Receivers refuse older ones. */
  readonly revision: number;
  /** service: kept at `count`, restarted when it exits. task: one instance, run to its end once, never restarted. */
  readonly kind: "service" | "task";
  readonly count: number;
  /** The user's own command line, run by `sh` as the app; or the argv of one of Drover's programs. */
  readonly command: { readonly shell: string } | { readonly argv: readonly string[] };
  readonly artifact: Digest | null;
  readonly env: Readonly<Record<string, string>>;
  /** Environment whose values are secret: sealed at rest, masked in whatever is shown. */
  readonly secrets: Readonly<Record<string, string>>;
  /** auto: each instance gets a free port in $PORT. */
  readonly port: "auto" | "none" | number;
  readonly ready: Probe | null;
  readonly alive: Probe | null;
  readonly resources: Resources;
  readonly stop: StopRules;
  /** Whether edges may send traffic to it, so that stopping has to wait until they have let go. */
  readonly routed: boolean;
  /** Names of the folders that outlive releases; each gives `$<NAME>_DIR`. */
  readonly volumes: readonly string[];
  /** Changed by `drover restart`: instances started under another value are replaced in place, one after another. */
  readonly restartToken: string;
  /** task: killed after this long. Services: null. */
  readonly timeoutMs: number | null;
  /** It must never run twice: on a machine that has joined, an agent runs it under a lease alone (`lease.ts`). */
  readonly onlyOne?: true;
  /** Nobody but its own machine may reach it: it is told so by $HOST, and is not ready while it listens elsewhere than on 127.0.0.1. */
  readonly isPrivate?: true;
  /** Each instance sends figures of its own by statsd, to $STATSD_HOST and $STATSD_PORT. */
  readonly statsd?: true;
  /** Drover's own programs alone; see `OwnTraits`. */
  readonly own?: OwnTraits;
}

/** What the agent does for Drover's own programs and for no app. */
export interface OwnTraits {
  /**
   * Opened by the agent and inherited: what holds them is not the program, so they outlive it. $DROVER_SOCKETS says the file descriptor of each, as
   * `name=5,…`. One that is optional is left out where it cannot be opened.
   */
  readonly sockets: readonly { readonly name: string; readonly host: string; readonly port: number; readonly isOptional?: boolean }[];
  /**
   * The program that the main process is to go on with after SIGHUP, without an end: it reads the path from the file "program" in $TMPDIR. Done in
   * place of a restart while the restart tokens have the same part before the point.
   */
  readonly program: string;
}

/**
 * - `starting`: ordered, not yet running (a port is sought, the artifact is fetched).
 * - `running`: its process lives; `ready` says whether it takes traffic.
 * - `draining`: leaves the routing table and finishes what it has.
 * - `stopping`: has got its signal.
 * - `backoff`: exited and waits for its next start.
 * - `exited`: a task that ended; kept until the workload is removed. A service's instance that was stopped is gone at once.
 */
export type InstanceState = "starting" | "running" | "draining" | "stopping" | "backoff" | "exited";

export interface Exit {
  /** Null when the status could not be learnt. */
  readonly code: number | null;
  readonly signal: string | null;
  /** Killed by the kernel because it went over its memory limit. */
  readonly outOfMemory: boolean;
  readonly atMs: number;
}

/** A fact in words about why something is not as wanted; `code` is for programs, such as `NOT_LISTENING`. */
export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

/** One running copy of a workload, as its agent sees it. */
export interface Instance {
  readonly id: InstanceId;
  readonly workload: WorkloadId;
  readonly machine: MachineId;
  readonly state: InstanceState;
  readonly ready: boolean;
  readonly host: string;
  readonly port: number | null;
  readonly pid: number | null;
  readonly restarts: number;
  /** Epoch milliseconds of the latest start of its process; null before the first. */
  readonly startedAtMs: number | null;
  /** Epoch milliseconds of the latest change of `state` or `ready`. */
  readonly sinceMs: number;
  /** The latest exit that nobody asked for, if any since the last restart that somebody did. */
  readonly exit: Exit | null;
  /** Why it is not running and ready; null when it is. */
  readonly reason: Reason | null;
  readonly restartToken: string;
}

/** What an agent knows of a workload besides its instances. */
export interface WorkloadStatus {
  readonly id: WorkloadId;
  readonly revision: number;
  readonly kind: Workload["kind"];
  readonly count: number;
  /** Why the engine cannot do what the order says, such as an artifact that it does not have; null when it can. */
  readonly reason: Reason | null;
  readonly onlyOne?: true;
}

/** The watch of an engine: first one `snapshot` with everything, then single changes in order. */
export type EngineChange =
  | { readonly kind: "snapshot"; readonly workloads: readonly WorkloadStatus[]; readonly instances: readonly Instance[] }
  | { readonly kind: "workload"; readonly workload: WorkloadStatus }
  | { readonly kind: "workload-gone"; readonly id: WorkloadId }
  | { readonly kind: "instance"; readonly instance: Instance }
  | { readonly kind: "instance-gone"; readonly id: InstanceId };

/** Of one of Drover's own programs. */
export interface ProgramVersion {
  readonly version: string;
  /** Of the Node that runs it. */
  readonly node: string;
}

export interface Machine {
  readonly id: MachineId;
  readonly hostName: string;
  /** Where other machines reach its instances; left out where there are no others. */
  readonly address?: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** What its agent is; left out by one that is too old to say. */
  readonly program?: ProgramVersion;
  /** What isolation holds here, each either in force or absent with the reason in words. */
  readonly isolation: Readonly<
    Record<"uid" | "privileges" | "cpu" | "memory" | "pids" | "group-kill", { readonly holds: boolean; readonly how: string }>
  >;
}

/** One line of an instance's output. */
export interface LogLine {
  readonly instance: InstanceId;
  /** Epoch milliseconds when the agent read it. */
  readonly atMs: number;
  /** Increases by one for each line of the instance; gaps are never silent. */
  readonly sequence: number;
  /** Raw text, escape sequences and all: whoever shows it must escape it. */
  readonly text: string;
  /** `drover`: a notice of ours in place, such as dropped lines. */
  readonly source: "app" | "drover";
}

export interface LogQuery {
  /** Exact workloads or instances; a prefix such as `shop/api/` takes all below it. */
  readonly prefix: string;
  readonly instance: InstanceId | null;
  /** Latest lines wanted, before following. At most 10,000. */
  readonly tail: number;
  readonly sinceMs: number | null;
  readonly follow: boolean;
  /** Plain text that a line has to contain; null: all. */
  readonly contains: string | null;
  /** Only lines of these kinds; left out: of all. */
  readonly kinds?: readonly LogKind[];
  /** What `contains` does not find. */
  readonly masks?: LogMasks;
}
