import type { ExecRequest, ExecSignal, TerminalSize } from "#model/exec.ts";
import type { InstanceId, WorkloadId } from "#model/names.ts";
import type { Usage } from "#model/usage.ts";
import type { EngineChange, LogLine, LogQuery, Machine, Workload } from "#model/workload.ts";

/**
 * Something that runs workloads. Verbs are small and idempotent and try once; what was started before a restart is found again.
 * One contract test suite (`testing/engine-contract.ts`) runs against every engine.
 */
export interface Engine {
  readonly name: string;
  /** Makes it so: resolves when the order is on disk, not when instances run. @throws {DroverError} ORDER_OUTDATED for an older revision. */
  apply(workload: Workload, signal: AbortSignal): Promise<void>;
  /** Stops all instances by the workload's own stop rules and forgets it. Resolves when the order is on disk. Unknown ids are fine. */
  remove(id: WorkloadId, revision: number, signal: AbortSignal): Promise<void>;
  /** What it was told last of the workload; null if nothing, or to remove it. */
  order(id: WorkloadId): Workload | null;
  /** The edges no longer send anything to this instance, and what it had in flight is done or out of time: a draining instance may stop now. */
  drained(id: InstanceId): void;
  /**
   * These workloads, which must never run twice, may run until then, on the monotonic clock, unless they are renewed before; without a lease nothing of
   * them is started. A lease is never made shorter.
   */
  renew(workloads: readonly WorkloadId[], endsAtMs: number): Promise<void>;
  /** Restarts one instance in place, by its stop rules. @throws {DroverError} INSTANCE_NOT_FOUND */
  restart(id: InstanceId, signal: AbortSignal): Promise<void>;
  /** Everything first (one `snapshot`), then changes in order, until the signal aborts. A reader that falls more than 10,000 changes behind gets a new `snapshot`. */
  watch(signal: AbortSignal): AsyncIterable<EngineChange>;
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  exec(request: ExecRequest, signal: AbortSignal): Promise<ExecSession>;
  machine(signal: AbortSignal): Promise<Machine>;
  /** What runs here uses, measured now. */
  usage(signal: AbortSignal): Promise<Usage>;
}

/** A command that runs inside. Ends when the command does, or when the signal of `exec` aborts, which kills its whole group. */
export interface ExecSession {
  write(bytes: Uint8Array): Promise<void>;
  /** End of input; a terminal gets Ctrl-D. */
  end(): void;
  resize(size: TerminalSize): void;
  signal(signal: ExecSignal): void;
  readonly output: AsyncIterable<{ readonly stream: "stdout" | "stderr"; readonly bytes: Uint8Array }>;
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}
