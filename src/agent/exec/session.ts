import type { Clock } from "#model/clock.ts";
import type { ExecSession } from "../engines/engine.ts";
import { killMarked, signalIfThere } from "./leftovers.ts";

export type Exit = Awaited<ExecSession["exit"]>;

/** After a hang-up a shell may write its history; then it is killed. */
const hangUpMs = 1_000;

interface SessionParts {
  /** Leader of the command's own session and group. */
  readonly pid: number;
  readonly marker: string;
  readonly exited: Promise<Exit>;
  /** Gives up what the caller did not read. */
  readonly letGo: () => void;
  readonly clock: Clock;
}

/**
 * Ends a session whose caller went away, and whatever a session leaves behind: its group gets SIGHUP, then SIGKILL; anything that carries
 * its marker is killed. Resolves with the exit once nothing of the session is left.
 */
export async function superviseSession({ pid, marker, exited, letGo, clock }: SessionParts, signal: AbortSignal): Promise<Exit> {
  const done = new AbortController();
  const onAbort = () => {
    signalIfThere(-pid, "SIGHUP");
    // One that is stopped could not act upon it.
    signalIfThere(-pid, "SIGCONT");
    clock.sleep(hangUpMs, done.signal).then(
      () => signalIfThere(-pid, "SIGKILL"),
      () => {
        // It has exited meanwhile, which is what the wait was for.
      },
    );
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await exited;
  } finally {
    done.abort();
    signal.removeEventListener("abort", onAbort);
    signalIfThere(-pid, "SIGKILL");
    await killMarked(marker);
    if (signal.aborted) letGo();
  }
}
