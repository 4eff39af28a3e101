import { connect } from "node:net";
import { setTimeout as timer } from "node:timers/promises";
import type { Target } from "#model/ssh-target.ts";

/** A host on another continent greets in one; one that is busy in two. */
const greetMs = 3_000;

/** Whether an SSH server greets at a host: it is on, and its system runs. Costs no process and no key exchange. @throws the signal's reason */
export async function answersSsh({ host, port }: Pick<Target, "host" | "port">, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  const over = new AbortController();
  const socket = connect({ host, port: port ?? 22, signal: AbortSignal.any([signal, over.signal]) });
  try {
    const greeted = new Promise<boolean>((resolve) => {
      socket.once("data", (chunk) => resolve(chunk.toString("latin1").startsWith("SSH-")));
      socket.once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
    });
    const answer = await Promise.race([greeted, timer(greetMs, false, { signal: over.signal })]);
    signal.throwIfAborted();
    return answer;
  } finally {
    over.abort();
    socket.destroy();
  }
}
