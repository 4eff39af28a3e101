import { randomBytes } from "node:crypto";
import type { Clock } from "#model/clock.ts";
import type { ExecSession } from "../engines/engine.ts";
import { startPipeSession } from "./pipe-session.ts";
import type { ExecSurroundings } from "./surroundings.ts";
import { startTerminalSession } from "./terminal-session.ts";

export interface Executor {
  /**
   * Starts a command in the given surroundings. When the signal aborts, or the command ends, nothing of it is left.
   * @throws {DroverError} EXEC_FAILED if it cannot be started.
   */
  start(surroundings: ExecSurroundings, signal: AbortSignal): Promise<ExecSession>;
}

/** @param owner names this installation on its machine, such as its home folder, so that two agents do not end each other's sessions. */
export function createExecutor({ owner, clock }: { readonly owner: string; readonly clock: Clock }): Executor {
  return {
    start: ({ terminal, ...rest }, signal) => {
      const options = { marker: `${owner}#${randomBytes(12).toString("hex")}`, clock };
      if (terminal === null) return startPipeSession({ ...rest, terminal }, options, signal);
      return startTerminalSession({ ...rest, terminal }, options, signal);
    },
  };
}
