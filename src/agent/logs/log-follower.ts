import type { InstanceId } from "#model/names.ts";
import type { LogLine } from "#model/workload.ts";
import { type LogFrame, linesOf } from "./frame.ts";
import type { LogSelection } from "./log-selection.ts";

/** What a reader that does not keep up may have waiting; past it, lines are skipped and counted. Small beside the budget of all logs. */
const mostWaitingBytes = 4 * 2 ** 20;
/** What a frame takes besides its text. */
const frameOverheadBytes = 256;

interface Skipped {
  lines: number;
  readonly before: LogFrame;
}

/** A reader's place at the end of the logs: gets every frame that is written, with a bound. */
export class LogFollower {
  readonly #selection: LogSelection;
  #frames: LogFrame[] = [];
  #bytes = 0;
  readonly #skipped = new Map<InstanceId, Skipped>();
  #wake: (() => void) | null = null;

  constructor(selection: LogSelection) {
    this.#selection = selection;
  }

  offer(frame: LogFrame): void {
    if (!this.#selection.has(frame.instance)) return;
    const bytes = frame.body.length + frameOverheadBytes;
    if (this.#bytes + bytes > mostWaitingBytes) this.#skip(frame);
    else {
      this.#frames.push(frame);
      this.#bytes += bytes;
    }
    this.#wake?.();
  }

  /** Lines as they come, in order, until the signal aborts. */
  async *lines(signal: AbortSignal): AsyncGenerator<LogLine, void, void> {
    while (!signal.aborted) for (const frame of await this.next(signal)) yield* linesOf(frame);
  }

  /** What came since the last call, or as soon as something comes; nothing when the signal aborts. */
  async next(signal: AbortSignal): Promise<readonly LogFrame[]> {
    if (this.#frames.length === 0 && this.#skipped.size === 0 && !signal.aborted) {
      const woken = Promise.withResolvers<void>();
      const onAbort = () => woken.resolve();
      this.#wake = onAbort;
      signal.addEventListener("abort", onAbort, { once: true });
      await woken.promise;
      signal.removeEventListener("abort", onAbort);
      this.#wake = null;
    }
    const frames = [...this.#frames, ...[...this.#skipped.values()].map(({ lines, before }) => skippedNotice(before, lines))];
    this.#frames = [];
    this.#bytes = 0;
    this.#skipped.clear();
    return frames;
  }

  #skip(frame: LogFrame): void {
    const skipped = this.#skipped.get(frame.instance);
    this.#skipped.set(frame.instance, { lines: (skipped?.lines ?? 0) + frame.lines, before: frame });
  }
}

/** Carries the number of the last line that it stands for. */
function skippedNotice(last: LogFrame, lines: number): LogFrame {
  const text = `${lines} lines skipped: this reader is slower than the app; read them again without following`;
  return { ...last, sequence: last.sequence + last.lines - 1, lines: 1, notice: "warn", body: Buffer.from(`${text}\n`) };
}
