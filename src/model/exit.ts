import type { Exit } from "./workload.ts";

/** How a process ended, as the predicate of a sentence: `exited with 1`, `was killed by SIGKILL`. */
export function describeExit(exit: Exit): string {
  if (exit.outOfMemory) return "was killed because it went over its memory limit";
  if (exit.signal !== null) return `was killed by ${exit.signal}`;
  if (exit.code === null) return "ended, and its exit code could not be learnt";
  return `exited with ${exit.code}`;
}
