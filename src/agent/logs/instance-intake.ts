import type { NoticeLevel } from "#model/log-level.ts";
import type { InstanceId } from "#model/names.ts";
import type { LogFrame } from "./frame.ts";
import { LineSplitter, type Piece } from "./line-splitter.ts";

/** Why lines did not get into the log, as its reader is told. */
export type LossReason = "budget" | "backlog" | "disk";

/** `kept`: another bound held already where the bytes were kept till now, so the budget does not count them again. */
export type Origin = "live" | "kept";

const lossWords: Readonly<Record<LossReason, string>> = {
  budget: "the app prints faster than its logs may grow",
  backlog: "the disk of the logs could not keep up",
  disk: "the disk of the logs was full or failing",
};

/** Notices that a failing disk refused and that are tried again; what they say would be lost otherwise. */
const mostRetold = 16;

export interface IntakeSink {
  /** Whether lines of so many bytes may enter now; otherwise why not. */
  admit(bytes: number, origin: Origin): LossReason | null;
  enqueue(frame: LogFrame): void;
  nowMs(): number;
}

/** One instance's way into the log: numbers its lines, and counts exactly what does not get in and says so in that place. */
export class InstanceIntake {
  readonly instance: InstanceId;
  readonly #sink: IntakeSink;
  readonly #splitter = new LineSplitter();
  readonly #losses = new Map<LossReason, { lines: number; bytes: number }>();
  readonly #retold: LogFrame[] = [];
  #refused: LossReason | null = null;
  #nextSequence: number;

  constructor(instance: InstanceId, nextSequence: number, sink: IntakeSink) {
    this.instance = instance;
    this.#nextSequence = nextSequence;
    this.#sink = sink;
  }

  /** A line has begun and waits for its end. */
  get isInLine(): boolean {
    return this.#splitter.isInLine;
  }

  get hasLosses(): boolean {
    return this.#losses.size > 0 || this.#retold.length > 0;
  }

  push(chunk: Buffer, origin: Origin = "live"): void {
    for (const piece of this.#splitter.push(chunk)) this.#take(piece, origin);
  }

  /** Takes a line that has begun as it is. */
  flush(): void {
    for (const piece of this.#splitter.flush()) this.#take(piece);
  }

  /** A line of ours in place. Notices are few and small, so no budget holds them back. */
  notice(text: string, level: NoticeLevel = "warn"): void {
    this.tellLosses();
    this.#enqueue(level, 1, Buffer.from(`${text.replaceAll("\n", " ")}\n`));
  }

  /** Counts lines that had a number but were lost on their way to the disk. */
  lose(frame: LogFrame, reason: LossReason): void {
    if (frame.notice !== null && this.#retold.length < mostRetold) this.#retold.push(frame);
    else this.#count(reason, frame.lines, frame.body.length);
  }

  /** Writes down what was lost up to here. */
  tellLosses(): void {
    for (const { notice, body } of this.#retold.splice(0)) this.#enqueue(notice, 1, body);
    const losses = [...this.#losses];
    this.#losses.clear();
    for (const [reason, { lines, bytes }] of losses) {
      const what = `${lines} ${lines === 1 ? "line" : "lines"} (${bytes} bytes) dropped: ${lossWords[reason]}`;
      this.#enqueue("warn", 1, Buffer.from(`${what}\n`));
    }
  }

  #take(piece: Piece, origin: Origin = "live"): void {
    if ("cutBytes" in piece) this.#takeCut(piece.cutBytes);
    else {
      this.#refused = this.#sink.admit(piece.body.length, origin);
      if (this.#refused === null) {
        this.tellLosses();
        this.#enqueue(null, piece.lines, piece.body);
      } else this.#count(this.#refused, piece.lines, piece.body.length);
    }
  }

  /** The rest of a line that was dropped is no news of its own. */
  #takeCut(bytes: number): void {
    if (this.#refused === null) this.notice(`the line before this was too long: ${bytes} bytes more were cut off`);
    else this.#count(this.#refused, 0, bytes);
  }

  #count(reason: LossReason, lines: number, bytes: number): void {
    const loss = this.#losses.get(reason) ?? { lines: 0, bytes: 0 };
    this.#losses.set(reason, { lines: loss.lines + lines, bytes: loss.bytes + bytes });
  }

  #enqueue(notice: LogFrame["notice"], lines: number, body: Buffer): void {
    const sequence = this.#nextSequence;
    this.#nextSequence += lines;
    this.#sink.enqueue({ instance: this.instance, atMs: this.#sink.nowMs(), sequence, lines, notice, body });
  }
}
