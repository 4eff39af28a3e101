/** From the least to the worst. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type EventLevel = (typeof logLevels)[number];
/** How bad it is what a notice of Drover's in place says: `warn` where something was lost, broke or ended by itself, `info` where all went as ordered. */
export type NoticeLevel = Extract<EventLevel, "info" | "warn">;

/** What programs call their levels. */
const levelOfWord: Readonly<Record<string, EventLevel>> = {
  trace: "trace",
  finest: "trace",
  verbose: "debug",
  debug: "debug",
  dbg: "debug",
  fine: "debug",
  info: "info",
  information: "info",
  informational: "info",
  notice: "info",
  log: "info",
  warn: "warn",
  warning: "warn",
  wrn: "warn",
  err: "error",
  error: "error",
  severe: "error",
  crit: "fatal",
  critical: "fatal",
  fatal: "fatal",
  panic: "fatal",
  alert: "fatal",
  emerg: "fatal",
  emergency: "fatal",
};

/** As pino and bunyan number them. */
const levelOfNumber: Readonly<Record<string, EventLevel>> = {
  "10": "trace",
  "20": "debug",
  "30": "info",
  "40": "warn",
  "50": "error",
  "60": "fatal",
};

/** As klog begins its lines: `E0102 15:04:05.000000`. */
const levelOfLetter: Readonly<Record<string, EventLevel>> = { I: "info", W: "warn", E: "error", F: "fatal" };

/** Where people and libraries put the level of a line: at its start. */
export const levelHeadLength = 200;
const jsonLevel = /"(?:level|severity|levelname|lvl|loglevel|log\.level|@l)"\s*:\s*(?:"([A-Za-z]{3,13})"|(\d0)\b)/;
const pairLevel = /(?:^|\s)(?:level|severity|lvl|loglevel)=["']?([A-Za-z]{3,13})\b/;
/** A word in capitals, or in any letters with a bracket or colon of its own. */
const headLevel =
  /(?:^|[^A-Za-z0-9_])(?:(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERR|ERROR|SEVERE|CRIT|CRITICAL|FATAL|PANIC|ALERT|EMERG)(?![A-Za-z0-9_])|\[\s*([A-Za-z]{3,13})\s*\]|(?:(?<=^)|(?<=[ \]]))([A-Za-z]{3,13}):)/g;
const klogLevel = /^([IWEF])\d{4} \d\d:\d\d:\d\d/;
const failure =
  /^(?:Traceback \(most recent call last\)|panic: |fatal error: |goroutine \d+ \[|Exception in thread |Uncaught |(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?:Error|Exception)\b)/;

/**
 * The level that a line says it has: as a field of JSON or `level=`, as a word near its start, as klog writes it, or `error` where an exception
 * or a stack trace begins. Null where it says none: that is most plain text.
 */
export function levelOf(text: string): EventLevel | null {
  if (text.charCodeAt(0) === 0x7b) {
    const match = jsonLevel.exec(text);
    if (match !== null) return (match[1] === undefined ? levelOfNumber[match[2] ?? ""] : levelOfWord[match[1].toLowerCase()]) ?? null;
  }
  const head = text.length > levelHeadLength ? text.slice(0, levelHeadLength) : text;
  const pair = head.includes("l=") || head.includes("severity=") ? pairLevel.exec(head) : null;
  const paired = pair === null ? undefined : levelOfWord[(pair[1] ?? "").toLowerCase()];
  if (paired !== undefined) return paired;
  headLevel.lastIndex = 0;
  for (let match = headLevel.exec(head); match !== null; match = headLevel.exec(head)) {
    const level = levelOfWord[(match[1] ?? match[2] ?? match[3] ?? "").toLowerCase()];
    if (level !== undefined) return level;
  }
  const letter = klogLevel.exec(head);
  if (letter !== null) return levelOfLetter[letter[1] ?? ""] ?? null;
  return failure.test(head) ? "error" : null;
}

/** The name of a level as people write it. */
export function parseLevel(text: string): EventLevel | null {
  return levelOfWord[text.toLowerCase()] ?? null;
}
