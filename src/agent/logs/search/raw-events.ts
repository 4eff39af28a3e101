import { type EventLevel, levelHeadLength, levelOf } from "#model/log-level.ts";
import type { InstanceId } from "#model/names.ts";
import type { LogFrame } from "../frame.ts";
import { quickLevel } from "./quick-level.ts";
import { mayGoOn, type TraceState, traceGoesOn, traceStart } from "./stack-trace.ts";

/** Some lines in a row, without the last line feed. */
interface Piece {
  readonly bytes: Buffer;
  readonly from: number;
  to: number;
}

/** An event as the bytes that it consists of: its text is made only of those that somebody wants. */
export interface RawEvent extends Readonly<Piece> {
  readonly instance: InstanceId;
  readonly atMs: number;
  readonly sequence: number;
  readonly lines: number;
  readonly notice: LogFrame["notice"];
  /** Further lines that came in other frames. */
  readonly more: Piece[] | null;
}

/** The latest event of an instance, to which the next line may belong. */
interface Open {
  readonly event: { -readonly [key in keyof RawEvent]: RawEvent[key] };
  state: TraceState;
  lastAtMs: number;
}

/** An endless trace is cut into several events. */
const mostLines = 500;
const mostBytes = 64 * 1024;
/** A program writes a stack trace at once; what comes later is something else. */
const longestPauseMs = 1_000;
/** What a line of a trace is recognised by. */
const headBytes = 256;

/** Puts lines together to events. Frames of one instance have to come in order; those of others may lie between. */
export class EventJoiner {
  readonly #open = new Map<InstanceId, Open>();

  /** Every event that ends within the frame, or that the frame ends by going on with another. @param bytes what the frame lies in, or its body alone; offsets are in these */
  take(frame: LogFrame, bytes?: Buffer): readonly RawEvent[] {
    const ended: RawEvent[] = [];
    this.visit(frame, (event) => ended.push({ ...event }), bytes);
    return ended;
  }

  /** The same for whoever keeps none of them: each is the same object, and is another event after the call. A million lines then leave nothing to be collected. */
  visit(frame: LogFrame, ended: (event: RawEvent) => void, bytes: Buffer = frame.body): void {
    const { instance, atMs, notice } = frame;
    let from = frame.body.byteOffset - bytes.byteOffset;
    let open = this.#open.get(instance);
    for (let index = 0; index < frame.lines; index++) {
      const end = bytes.indexOf(10, from);
      if (open !== undefined && this.#goesOn(open, frame, bytes, from, end)) {
        extend(open, frame, bytes, from, end);
      } else {
        const first = bytes[from] ?? 0;
        const state = first === 0x54 || first === 0x70 || first === 0x66 || first === 0x67 ? traceStart(headOf(bytes, from, end)) : "line";
        const sequence = frame.sequence + index;
        if (open === undefined) {
          open = { event: { instance, atMs, sequence, lines: 1, notice, bytes, from, to: end, more: null }, state, lastAtMs: atMs };
          this.#open.set(instance, open);
        } else {
          const { event } = open;
          ended(event);
          event.atMs = atMs;
          event.sequence = sequence;
          event.lines = 1;
          event.notice = notice;
          event.bytes = bytes;
          event.from = from;
          event.to = end;
          event.more = null;
          open.state = state;
          open.lastAtMs = atMs;
        }
      }
      from = end + 1;
    }
  }

  /** Those that are not known to have ended. @param keeps leaves those to which more may come yet, by the time of their latest line */
  *flush(keeps: (lastAtMs: number) => boolean = () => false): Generator<RawEvent, void, void> {
    for (const [instance, open] of this.#open) {
      if (keeps(open.lastAtMs) && isOngoing(open)) continue;
      this.#open.delete(instance);
      yield open.event;
    }
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Whether any may be a stack trace whose next lines have not come yet. */
  get mayGoOn(): boolean {
    return this.#open.values().some(isOngoing);
  }

  #goesOn(open: Open, frame: LogFrame, bytes: Buffer, from: number, end: number): boolean {
    const { event, state } = open;
    if (state === "line" && !mayGoOn(bytes[from] ?? 0)) return false;
    if (frame.notice !== null || event.notice !== null || frame.atMs - open.lastAtMs > longestPauseMs) return false;
    if (event.lines >= mostLines || sizeOf(event) > mostBytes) return false;
    const next = traceGoesOn(state, headOf(bytes, from, end));
    // A traceback belongs to what a logger said of it, and to no other line that happens to stand before it.
    if (state === "line" && next === "python" && !isFailure(levelOfRaw(event))) return false;
    if (next !== null) open.state = next;
    return next !== null;
  }
}

function extend(open: Open, frame: LogFrame, bytes: Buffer, from: number, end: number): void {
  const { event } = open;
  const last = event.more?.at(-1) ?? event;
  if (last.bytes === bytes && last.to + 1 === from) last.to = end;
  else (event.more ??= []).push({ bytes, from, to: end });
  event.lines++;
  open.lastAtMs = frame.atMs;
}

function isOngoing({ event, state }: Open): boolean {
  return state !== "line" || isFailure(levelOfRaw(event));
}

function isFailure(level: EventLevel | null): boolean {
  return level === "warn" || level === "error" || level === "fatal";
}

function headOf(bytes: Buffer, from: number, end: number): string {
  return bytes.toString("latin1", from, Math.min(end, from + headBytes));
}

/** Bytes of its text. */
export function sizeOf({ from, to, more }: Pick<RawEvent, "from" | "to" | "more"> = { from: 0, to: 0, more: null }): number {
  return to - from + (more?.reduce((sum, piece) => sum + piece.to - piece.from, 0) ?? 0);
}

/** The event's level, told from no more of its bytes than that takes: the same for whoever counts and whoever reads. */
export function levelOfRaw({ notice, bytes, from, to }: RawEvent): EventLevel | null {
  if (notice !== null) return notice;
  const quick = quickLevel(bytes, from, to);
  if (quick !== undefined) return quick;
  const isJson = bytes[from] === 0x7b;
  return levelOf(bytes.toString("latin1", from, isJson ? to : Math.min(to, from + levelHeadLength)));
}

/** The event's lines; invalid UTF-8 becomes U+FFFD. */
export function textOf(event: RawEvent): string {
  const first = event.bytes.toString("utf8", event.from, event.to);
  return event.more === null ? first : [first, ...event.more.map(({ bytes, from, to }) => bytes.toString("utf8", from, to))].join("\n");
}
