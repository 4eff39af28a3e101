import { appendFileSync, mkdirSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { hasCode } from "#model/errors.ts";

/** Two files of this size at most: weeks of an ordinary machine's changes. */
const longestBytes = 8 * 2 ** 20;

/**
 * Appends log lines to `file`, and starts a new one, keeping the one before, when it is full. Written at once, since what an agent says right
 * before it dies is what matters; there are a few lines for each start or stop of an instance.
 */
export function openAgentLog(file: string, onLost: (error: unknown) => void): (line: string) => void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  let bytes = sizeOf(file);
  return (line) => {
    try {
      if (bytes > longestBytes) {
        renameSync(file, `${file}.1`);
        bytes = 0;
      }
      appendFileSync(file, line, { mode: 0o600 });
      bytes += line.length;
    } catch (error) {
      // A full disk must not stop the supervision.
      onLost(error);
    }
  };
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}
