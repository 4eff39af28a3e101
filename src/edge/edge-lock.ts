import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { isAnswered } from "#host/answered-socket.ts";
import type { Home } from "#host/home.ts";
import { DroverError } from "#model/errors.ts";

export interface EdgeLock {
  release(): void;
}

interface Holding {
  readonly pid: number;
  /** Who starts edges one after another on the same sockets; null: nobody. */
  readonly holder: number | null;
}

const lockFile = /^edge-(\d+|alone)-(\d+)$/;

/**
 * Makes sure that no other edge runs on this home, but those of the same holder: there, the next one begins while the one before still finishes. Each
 * listens on a socket that is named for both, and only then looks for others, so that of two that start together neither is overlooked. SQLite's lock, as
 * the agent has it, would be memory that an edge otherwise does without, and has no place for two.
 * @throws {DroverError} HOME_IN_USE
 */
export async function lockEdge(home: Home, { pid, holder }: Holding): Promise<EdgeLock> {
  const own = `edge-${holder ?? "alone"}-${pid}`;
  // One of the same name is left of a process that is no more.
  await rm(join(home.run, own), { force: true });
  const server = net.createServer((asking) => asking.destroy());
  server.listen(join(home.run, own));
  await once(server, "listening");
  server.unref();
  try {
    for (const file of await readdir(home.run)) if (file !== own) await refuseOther(home, file, holder);
  } catch (error) {
    server.close();
    throw error;
  }
  return { release: () => server.close() };
}

async function refuseOther(home: Home, file: string, holder: number | null): Promise<void> {
  const [, heldBy, pid] = lockFile.exec(file) ?? [];
  if (pid === undefined) return;
  const path = join(home.run, file);
  if (!(await isAnswered(path))) await rm(path, { force: true });
  else if (heldBy !== String(holder))
    throw new DroverError("HOME_IN_USE", `another edge runs on "${home.root}" (pid ${pid})`, {
      hint: '"drover up" starts one by itself; stop that first, or use another folder with --home.',
    });
}
