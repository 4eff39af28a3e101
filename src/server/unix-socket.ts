import { rm } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { DroverError, hasCode } from "#model/errors.ts";

/** How long an answer on an existing socket is waited for before its file counts as left over. */
const probeMs = 1_000;

/**
 * Makes way for listening on a Unix socket: removes a file that a killed server left behind, never the socket of one that lives.
 * @throws {DroverError} HOME_IN_USE if somebody answers there.
 */
export async function claimSocket(file: string): Promise<void> {
  if (await isAnswered(file)) {
    throw new DroverError("HOME_IN_USE", `another server listens on "${file}"`, {
      hint: "Stop the other one, or use another home folder with `--home`.",
    });
  }
  await rm(file, { force: true });
}

function isAnswered(file: string): Promise<boolean> {
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

/** Listens on a Unix socket that only this user may open. */
export function listenOnSocket(server: Server, file: string): Promise<void> {
  // The mode is the umask's doing: a chmod afterwards would leave a moment in which others could connect.
  const mask = process.umask(0o177);
  return new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(file, () => {
      server.off("error", reject);
      resolve();
    });
  }).finally(() => process.umask(mask));
}
