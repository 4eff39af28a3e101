import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { formatTarget, type Target } from "#model/ssh-target.ts";

/** A unit of systemd on one line says nothing that the unit does not. */
const longestLine = 500;

export interface HostLog extends Disposable {
  readonly file: string;
  readonly write: (line: string) => void;
}

/** What happened on one host in the last attempt; written line by line, so that it can be followed. */
export function openHostLog(folder: string, target: Target, nowMs: () => number): HostLog {
  const file = join(folder, `${formatTarget({ ...target, name: null }).replace(/[^A-Za-z0-9.@-]/g, "_")}.log`);
  const handle = openSync(file, "w", 0o600);
  return {
    file,
    write: (line) => void writeSync(handle, `${new Date(nowMs()).toISOString()} ${line.slice(0, longestLine)}\n`),
    [Symbol.dispose]: () => closeSync(handle),
  };
}
