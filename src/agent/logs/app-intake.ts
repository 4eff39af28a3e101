import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId } from "#model/names.ts";
import type { AppLog } from "./app-log.ts";
import type { LogFrame } from "./frame.ts";
import { InstanceIntake, type LossReason, type Origin } from "./instance-intake.ts";
import { type BudgetRule, IntakeBudget } from "./intake-budget.ts";

/** One write: large enough to be cheap, small enough that several of them fill a segment. */
const batchBytes = 1 << 18;
/** What a frame costs besides its text: its record in memory, and (budget) its head in the file. */
const frameOverheadBytes = 256;
const headBytes = 64;
/** What one app may have waiting for the disk. */
const mostWaitingBytes = 8 << 20;
/** A disk that takes longer than this for what waits has stalled: lines are then dropped rather than apps held up. */
const stallMs = 1_000;
/** A disk that is nearly full fails and recovers again and again; the agent's own log hears of it this often. */
const tellEveryMs = 60_000;
/** After a write failed, lines are dropped and counted for so long before the disk is tried again. */
const diskRestMs = 1_000;

/** What all apps together have waiting for the disk. */
export interface Backlog {
  bytes: number;
  readonly mostBytes: number;
}

export interface AppIntakeOptions {
  readonly appLog: AppLog;
  readonly budget: BudgetRule;
  readonly backlog: Backlog;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with frames once they are on the disk. */
  readonly onWritten: (frames: readonly LogFrame[]) => void;
  /** Called when a write failed, so that somebody calls `tellLosses` later. */
  readonly onLost: () => void;
  /** Called when there is something to write. */
  readonly onWaiting: () => void;
}

/** What one app's instances print, on its way to the disk: admitted by the app's budget, batched, written in order. */
export class AppIntake {
  readonly appLog: AppLog;
  readonly #options: AppIntakeOptions;
  readonly #budget: IntakeBudget;
  /** Instances that had lines when the log was opened. */
  readonly startedWith: Set<InstanceId>;
  readonly #instances = new Map<InstanceId, InstanceIntake>();
  readonly #ended = new Set<InstanceId>();
  #waiting: LogFrame[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | null = null;
  #restUntilMs = 0;
  #progressAtMs = 0;
  #relief: Promise<void> | null = null;
  #failureToldAtMs: number | null = null;

  constructor(options: AppIntakeOptions) {
    this.appLog = options.appLog;
    this.#options = options;
    this.startedWith = new Set(options.appLog.instances);
    this.#budget = new IntakeBudget(options.budget, options.clock.monotonicMs());
  }

  /** The way in of one instance, for as long as the app's log is open, so that its numbers go on wherever it attaches again. */
  instance(id: InstanceId): InstanceIntake {
    this.#ended.delete(id);
    let intake = this.#instances.get(id);
    if (intake === undefined) {
      intake = new InstanceIntake(id, this.appLog.nextSequence(id), {
        admit: (bytes, origin) => this.#admit(bytes, origin),
        enqueue: (frame) => this.#enqueue(frame),
        nowMs: () => this.#options.clock.nowMs(),
      });
      this.#instances.set(id, intake);
    }
    return intake;
  }

  /** Forgets an instance that prints no more, as soon as all that is to be told of it is on the disk. */
  release(id: InstanceId): void {
    this.#ended.add(id);
    this.#forgetEnded();
  }

  /** Writes down losses that nothing later has told. Returns whether any are left to tell. */
  tellLosses(): boolean {
    if (this.#isResting) return this.#lossy.length > 0;
    for (const intake of this.#lossy) intake.tellLosses();
    return this.#lossy.length > 0;
  }

  /** Asks whoever reads the app to wait while the disk catches up; null if there is no need, or no hope. Never rejects. */
  pressure(): Promise<void> | null {
    const { backlog, clock } = this.#options;
    if (this.#waitingBytes < mostWaitingBytes / 2 && backlog.bytes < backlog.mostBytes / 2) return null;
    if (this.#isResting || clock.monotonicMs() - this.#progressAtMs > stallMs) return null;
    this.#relief ??= this.#flushOrStall().finally(() => (this.#relief = null));
    return this.#relief;
  }

  async #flushOrStall(): Promise<void> {
    const flushed = new AbortController();
    const stalled = pause(this.#options.clock, stallMs, flushed.signal);
    await Promise.race([this.flush(), stalled]);
    flushed.abort();
  }

  /** Resolves when all that waited at the call is on the disk, or dropped and counted. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#waiting.length === 0) return;
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = null));
    await this.#writing;
  }

  /** Lets go of the file once nothing is being written to it. */
  async closeFile(): Promise<void> {
    await this.#writing;
    if (this.#writing === null) await this.appLog.closeFile();
  }

  get #lossy(): InstanceIntake[] {
    return [...this.#instances.values()].filter(({ hasLosses }) => hasLosses);
  }

  get #isResting(): boolean {
    return this.#options.clock.monotonicMs() < this.#restUntilMs;
  }

  #admit(bytes: number, origin: Origin): LossReason | null {
    const { clock, backlog } = this.#options;
    if (this.#isResting) return "disk";
    if (this.#waitingBytes + bytes > mostWaitingBytes || backlog.bytes + bytes > backlog.mostBytes) return "backlog";
    return origin === "kept" || this.#budget.take(bytes + headBytes, clock.monotonicMs()) ? null : "budget";
  }

  #enqueue(frame: LogFrame): void {
    if (this.#waiting.length === 0 && this.#writing === null) this.#progressAtMs = this.#options.clock.monotonicMs();
    this.#waiting.push(frame);
    this.#account(costOf(frame));
    this.#options.onWaiting();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeBatch(this.#takeBatch());
    this.#forgetEnded();
  }

  #forgetEnded(): void {
    if (this.#waiting.length > 0) return;
    for (const id of this.#ended) {
      if (this.#instances.get(id)?.hasLosses) continue;
      this.#ended.delete(id);
      this.#instances.delete(id);
    }
  }

  async #writeBatch(frames: readonly LogFrame[]): Promise<void> {
    const { clock, onWritten, onLost } = this.#options;
    try {
      await this.appLog.append(frames);
      this.#progressAtMs = clock.monotonicMs();
      onWritten(frames);
    } catch (error) {
      this.#tellFailure(error);
      this.#restUntilMs = clock.monotonicMs() + diskRestMs;
      for (const frame of frames) this.#instances.get(frame.instance)?.lose(frame, "disk");
      onLost();
    } finally {
      this.#account(-frames.reduce((sum, frame) => sum + costOf(frame), 0));
    }
  }

  #tellFailure(error: unknown): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#failureToldAtMs !== null && nowMs - this.#failureToldAtMs < tellEveryMs) return;
    this.#failureToldAtMs = nowMs;
    this.#options.log.error("logs cannot be written; lines are dropped and counted", { app: this.appLog.app, ...errorFields(error) });
  }

  #account(bytes: number): void {
    this.#waitingBytes += bytes;
    this.#options.backlog.bytes += bytes;
  }

  #takeBatch(): readonly LogFrame[] {
    let bytes = 0;
    let count = 0;
    for (const frame of this.#waiting) {
      if (count > 0 && bytes + frame.body.length > batchBytes) break;
      bytes += frame.body.length;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

function costOf(frame: LogFrame): number {
  return frame.body.length + frameOverheadBytes;
}
