import { connect } from "node:net";
import { hasCode } from "#model/errors.ts";

/** How long an answer on an existing socket is waited for; who is that slow lives. */
const probeMs = 1_000;

/** Whether somebody listens on a Unix socket. One that a killed process left behind, or that is not there, nobody answers. */
export function isAnswered(file: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(file);
    const settle = (finish: () => void) => {
      socket.destroy();
      finish();
    };
    socket.setTimeout(probeMs, () => settle(() => resolve(true)));
    socket.once("connect", () => settle(() => resolve(true)));
    socket.once("error", (error) =>
      settle(() => (hasCode(error, "ECONNREFUSED") || hasCode(error, "ENOENT") ? resolve(false) : reject(error))),
    );
  });
}
