import { rm } from "node:fs/promises";
import type { Server } from "node:net";
import { isAnswered } from "#host/answered-socket.ts";
import { DroverError } from "#model/errors.ts";

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
