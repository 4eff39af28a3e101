import { hasColour, printable } from "./output.ts";

/** What is going on, told on stderr while a command works. */
export interface Progress {
  /** The lines that stand for what is going on now, in place of the ones before. */
  show(lines: readonly string[]): void;
  /** A line that stays. */
  note(line: string): void;
  /** Takes the live lines away. Safe to call at any time. */
  clear(): void;
}

export interface ProgressOptions {
  readonly stream: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isQuiet: boolean;
  readonly monotonicMs: () => number;
}

export function createProgress(options: ProgressOptions): Progress {
  if (options.isQuiet) return { show: () => {}, note: () => {}, clear: () => {} };
  return options.stream.isTTY === true && options.environment["TERM"] !== "dumb" ? liveProgress(options) : plainProgress(options);
}

/** Redraws its lines in place. */
function liveProgress({ stream, environment }: ProgressOptions): Progress {
  const isColoured = hasColour(stream, environment);
  let drawn: readonly string[] = [];
  const erase = (rows: number) => (rows === 0 ? "" : `\x1b[${rows}A\x1b[J`);
  const draw = (lines: readonly string[]) => {
    // One row stays free for the cursor; more lines than rows could not be taken back.
    const room = Math.min(mostLiveLines, Math.max(1, (stream.rows ?? 24) - 1));
    const kept = lines.length <= room ? lines : [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more`];
    const width = (stream.columns ?? 80) - 1;
    const printed = kept.map((line) => printable(line, isColoured, width));
    if (printed.length === drawn.length && printed.every((line, i) => line === drawn[i])) return;
    stream.write(erase(drawn.length) + printed.map((line) => `${line}\n`).join(""));
    drawn = printed;
  };
  const clear = () => {
    if (drawn.length > 0) stream.write(erase(drawn.length));
    drawn = [];
  };
  return {
    show: draw,
    note: (line) => {
      clear();
      stream.write(`${printable(line, isColoured)}\n`);
    },
    clear,
  };
}

/** Without a terminal a line is printed when it changes, and not more often, nor more of them, than a reader of a log can bear. */
const plainIntervalMs = 1_000;
const mostPlainLines = 4;
/** On a terminal, so that what was printed before stays in sight. */
const mostLiveLines = 16;

function plainProgress({ stream, monotonicMs }: ProgressOptions): Progress {
  let shown: ReadonlySet<string> = new Set();
  let nextAtMs = Number.NEGATIVE_INFINITY;
  const print = (line: string) => stream.write(`${printable(line, false)}\n`);
  return {
    show: (lines) => {
      if (monotonicMs() < nextAtMs) return;
      const news = lines.slice(0, mostPlainLines).filter((line) => !shown.has(line));
      if (news.length === 0) return;
      for (const line of news) print(line);
      shown = new Set(lines);
      nextAtMs = monotonicMs() + plainIntervalMs;
    },
    note: print,
    clear: () => {},
  };
}
