import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import type { LinkRoutes } from "#link/serve.ts";
import { hasCode } from "#model/errors.ts";
import type { InstanceId } from "#model/names.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";
import type { LogLine, LogQuery } from "#model/workload.ts";
import { readLogQuery } from "./link-bodies.ts";

/** Two files of this size at most: weeks of an ordinary machine's changes. */
const longestBytes = 8 * 2 ** 20;
/** Lines that wait for whoever follows; who is further behind than this is told no more. */
const mostWaiting = 1_000;
/** The agent is no workload; in what people read it has a name as if it were one. */
const ownName = "drover/agent" as InstanceId;

interface OwnQuery extends Pick<LogQuery, "tail" | "sinceMs" | "follow" | "contains"> {
  /** Looks at so much of the file's end alone; left out: at all of it. */
  readonly recentBytes?: number;
}

/** The log that the agent keeps of itself. */
export interface AgentLog {
  append(line: string): void;
  /** The latest lines of the current file, and then those that come. */
  read(query: OwnQuery, signal: AbortSignal): AsyncGenerator<LogLine, void, void>;
}

/**
 * Appends log lines to `file`, and starts a new one, keeping the one before, when it is full. Written at once, since what an agent says right
 * before it dies is what matters; there are a few lines for each start or stop of an instance.
 */
export function openAgentLog(file: string, onLost: (error: unknown) => void): AgentLog {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let bytes = sizeOf(file);
  /** Of files before this one: a line's number is where it ends in all of them. */
  let earlierBytes = 0;
  const followers = new Set<(line: LogLine) => void>();
  const append = (line: string) => {
    try {
      if (bytes > longestBytes) {
        renameSync(file, `${file}.1`);
        earlierBytes += bytes;
        bytes = 0;
      }
      appendFileSync(file, line, { mode: 0o600 });
      bytes += Buffer.byteLength(line);
    } catch (error) {
      // A full disk must not stop the supervision.
      onLost(error);
    }
    for (const tell of followers) tell(toLine(line.trimEnd(), earlierBytes + bytes));
  };
  async function* read(
    { tail, sinceMs, follow, contains, recentBytes }: OwnQuery,
    signal: AbortSignal,
  ): AsyncGenerator<LogLine, void, void> {
    const isWanted = ({ atMs, text }: LogLine) => atMs >= (sinceMs ?? 0) && (contains === null || text.includes(contains));
    const waiting: LogLine[] = [];
    let wake = () => {};
    const tell = (line: LogLine) => {
      if (waiting.length < mostWaiting) waiting.push(line);
      wake();
    };
    signal.addEventListener("abort", () => wake(), { once: true });
    if (follow) followers.add(tell);
    try {
      // Zero is none: the end of nothing is everything.
      const end = await readEnd(file, recentBytes ?? Number.POSITIVE_INFINITY);
      const past = linesOf(end.text, earlierBytes + end.from)
        .filter(isWanted)
        .slice(-tail || Number.POSITIVE_INFINITY);
      let told = 0;
      for (const line of past) {
        yield line;
        told = line.sequence;
      }
      while (follow && !signal.aborted) {
        for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) if (line.sequence > told && isWanted(line)) yield line;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (waiting.length > 0 || signal.aborted) resolve();
        });
      }
    } finally {
      followers.delete(tell);
    }
  }
  return { append, read };
}

/** What an agent serves of its own log; the table is in `model/link.ts`. */
export function ownLogRoutes(log: Pick<AgentLog, "read">): LinkRoutes {
  return {
    "POST /own-log": async (call) => {
      await call.lines(log.read(readLogQuery(await call.body()), call.signal));
      return undefined;
    },
  };
}

/** The whole lines among the last `mostBytes` of the file, and where they begin. */
async function readEnd(file: string, mostBytes: number): Promise<{ readonly text: string; readonly from: number }> {
  try {
    await using handle = await open(file, "r");
    const { size } = await handle.stat();
    const from = Math.max(0, size - mostBytes);
    const bytes = Buffer.alloc(size - from);
    await handle.read(bytes, 0, bytes.length, from);
    const begins = from === 0 ? 0 : bytes.indexOf(10) + 1;
    return { text: bytes.toString("utf8", begins), from: from + begins };
  } catch (error) {
    if (hasCode(error, "ENOENT")) return { text: "", from: 0 };
    throw error;
  }
}

function linesOf(text: string, from: number): readonly LogLine[] {
  let at = from;
  return text.split("\n").flatMap((line) => {
    at += Buffer.byteLength(line) + 1;
    return line === "" ? [] : [toLine(line, at)];
  });
}

/** A line of JSON, of which the time is told apart. */
function toLine(text: string, sequence: number): LogLine {
  const read = parseJson(text);
  const at = isRecord(read) && isText(read["at"]) ? Date.parse(read["at"]) : Number.NaN;
  return { instance: ownName, atMs: Number.isNaN(at) ? 0 : at, sequence, text, source: "app" };
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}
