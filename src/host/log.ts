import type { Log, LogFields, LogLevel } from "#model/log.ts";

const severity: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Prints one JSON object a line through `print`, from `least` upwards. */
export function createLog(options: {
  readonly print: (line: string) => void;
  readonly nowMs: () => number;
  readonly least?: LogLevel;
  readonly fields?: LogFields;
}): Log {
  const { print, nowMs, least = "info", fields = {} } = options;
  const at = (level: LogLevel) => (message: string, more?: LogFields) => {
    if (severity[level] < severity[least]) return;
    print(`${JSON.stringify({ at: new Date(nowMs()).toISOString(), level, message, ...fields, ...more })}\n`);
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (more) => createLog({ ...options, fields: { ...fields, ...more } }),
  };
}

/** The fields of an error's whole chain of causes, for a log line. */
export function errorFields(error: unknown): LogFields {
  const messages: string[] = [];
  let code: string | undefined;
  for (
    let link: unknown = error;
    link !== undefined && link !== null && messages.length < 8;
    link = link instanceof Error ? link.cause : undefined
  ) {
    messages.push(link instanceof Error ? link.message : String(link));
    if (code === undefined && typeof link === "object" && "code" in link && typeof link.code === "string") code = link.code;
  }
  const stack = error instanceof Error && code === undefined ? { stack: error.stack } : {};
  return { error: messages.join(": "), ...(code === undefined ? {} : { code }), ...stack };
}
