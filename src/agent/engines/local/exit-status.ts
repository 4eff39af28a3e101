import { constants } from "node:os";
import type { Exit } from "#model/workload.ts";

/** What the shell adds to the number of the signal that ended a process. */
const signalBase = 128;

/** @param status as the shell reports it; null when it could not be learnt. */
export function exitOf(status: number | null, outOfMemory: boolean, atMs: number): Exit {
  const signal = status !== null && status > signalBase ? signalName(status - signalBase) : null;
  return { code: signal === null ? status : null, signal, outOfMemory, atMs };
}

export function describeExit({ code, signal }: Exit): string {
  if (signal !== null) return `ended by ${signal}`;
  if (code === null) return "ended while no agent was there to see how";
  if (code === 127) return "exited with code 127: the command was not found";
  return `exited with code ${code}`;
}

function signalName(number: number): string | null {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? null;
}
