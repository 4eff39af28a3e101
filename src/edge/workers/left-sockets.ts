import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ListeningSocket } from "#host/listening-socket.ts";
import { errorFields } from "#host/log.ts";
import { giveSockets, type SocketGiver, takeSockets } from "#host/pass-sockets.ts";
import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";

/*
 * Ports that routes have for themselves are opened by the edge: nobody knows them before it has its table, so whoever starts it cannot hold them. Its
 * workers hold them too, and give them to the edge that comes next, also when their own was killed. So no connection to one is ever refused.
 */

/** A worker that is busy answers within some milliseconds; without its sockets the edge can only try to bind them. */
const giveWithinMs = 1_000;
const giverFile = /^give-\d+$/;

export function giveWhatWeHave(
  folder: string,
  sockets: () => Iterable<readonly [string, ListeningSocket]>,
  onGiven: () => void,
): Promise<SocketGiver> {
  return giveSockets(join(folder, `give-${process.pid}`), sockets, onGiven);
}

/** All that workers of other edges hold, by address. @param own pids of this edge's */
export async function takeWhatIsLeft(
  folder: string,
  own: readonly (number | undefined)[],
  clock: Clock,
  log: Log,
): Promise<ReadonlyMap<string, ListeningSocket>> {
  const all = new Map<string, ListeningSocket>();
  const late = new AbortController();
  const done = new AbortController();
  void clock.sleep(giveWithinMs, done.signal).then(
    () => late.abort(),
    () => {}, // All have answered.
  );
  const files = (await readdir(folder)).filter((file) => giverFile.test(file) && !own.some((pid) => file === `give-${pid}`));
  await Promise.all(
    files.map(async (file) => {
      const path = join(folder, file);
      try {
        for (const [name, socket] of await takeSockets(path, late.signal)) {
          // Of workers of one edge all have the same.
          if (all.has(name)) socket.close();
          else all.set(name, socket);
        }
      } catch (error) {
        // Left by one that was killed, or about to go.
        if (hasCode(error, "ECONNREFUSED") || hasCode(error, "ENOENT")) await rm(path, { force: true });
        else log.warn("sockets of another edge could not be taken", { path, ...errorFields(error) });
      }
    }),
  );
  done.abort();
  if (all.size > 0) log.info("took over ports of routes", { ports: all.size });
  return all;
}
