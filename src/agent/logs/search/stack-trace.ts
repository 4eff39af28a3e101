/** What an event has shown itself to be so far, which says what may go on with it. */
export type TraceState = "line" | "frames" | "python" | "python-end" | "go";

const tab = 9;
const blank = 32;
const pythonStart = "Traceback (most recent call last)";
const goStart = /^(?:panic: |fatal error: |goroutine \d+ \[)/;
/** Java, Node and the like: frames, causes, and what is suppressed. A Go frame by itself, too. */
const frame = /^\s+(?:at |\.\.\. \d+ (?:more|common frames)|File ")|^\s*Caused by: |^\s+Suppressed: |^\t\S.*\.go:\d+/;
const closing = /^[}\])]/;
const goFrame = /^(?:\t|goroutine \d+ \[|\[signal |created by |panic: |\s*$)|^[\w./*()[\]{}$%·-]+\(.*\)$/;
const chained = /^(?:\s*$|During handling of the above exception|The above exception was the direct cause)/;

/** The state of an event that begins with this line. */
export function traceStart(line: string): TraceState {
  const first = line.charCodeAt(0);
  // By the first letter, because this is asked of every line.
  if (first === 0x54 && line.startsWith(pythonStart)) return "python";
  return (first === 0x70 || first === 0x66 || first === 0x67) && goStart.test(line) ? "go" : "line";
}

/** Whether a line that begins with this byte can go on an ordinary event at all: what is asked of every line before it is read. */
export function mayGoOn(firstByte: number): boolean {
  return firstByte === tab || firstByte === blank || firstByte === 0x43 || firstByte === 0x54;
}

/** Whether a line that begins with this byte can be the rest of a trace that stands before it, of whatever kind. */
export function mayBeRest(firstByte: number): boolean {
  return mayGoOn(firstByte) || firstByte === 0x0a || firstByte === 0x7d || firstByte === 0x29 || firstByte === 0x5d;
}

/** The state after `line`, if it belongs to the event; null if it begins another one. */
export function traceGoesOn(state: TraceState, line: string): TraceState | null {
  const isIndented = line.charCodeAt(0) === tab || line.charCodeAt(0) === blank;
  switch (state) {
    case "line":
      // What a logger says of an exception goes before its traceback.
      if (line.startsWith(pythonStart)) return "python";
      return frame.test(line) ? "frames" : null;
    case "frames":
      return isIndented || closing.test(line) || frame.test(line) ? "frames" : null;
    case "python":
      return isIndented ? "python" : "python-end";
    case "python-end":
      if (line.startsWith(pythonStart)) return "python";
      return chained.test(line) ? "python-end" : null;
    case "go":
      return goFrame.test(line) ? "go" : null;
    default:
      return state satisfies never;
  }
}
