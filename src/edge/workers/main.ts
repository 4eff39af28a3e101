import { flushCompileCache } from "node:module";
import { systemClock } from "#host/clock.ts";
import { readTextIfThere } from "#host/files.ts";
import { giveBackMemory } from "#host/give-back-memory.ts";
import { createLog, errorFields } from "#host/log.ts";
import { parseNetwork } from "#host/network.ts";
import type { SocketGiver } from "#host/pass-sockets.ts";
import { pause } from "#model/clock.ts";
import { EmbeddedRouter } from "../router/embedded/embedded-router.ts";
import { defaultLimits, partOf } from "../router/embedded/limits.ts";
import { giveWhatWeHave } from "./left-sockets.ts";
import type { ToWorker } from "./messages.ts";
import { Worker } from "./worker.ts";

/** Where the system does not say: the least that any gives. */
const usualDescriptors = 1_024;
/** For files, listeners and the channel to the edge. */
const ownDescriptors = 256;

/** Nobody tells these of changes any more, so they may not go on for long; every ordinary request is over by then. */
const orphanedMs = 60_000;

/** An edge is there within a second; a machine that is busy with much else takes longer. */
const nextEdgeWithinMs = 10_000;
/** From when it asks for sockets its workers take some hundred milliseconds to serve. UDP ports cannot be given: until then only these have them. */
const nextWorkersWithinMs = 2_000;

const log = createLog({
  print: (line) => process.stderr.write(line),
  nowMs: systemClock.nowMs,
  fields: { program: "edge", worker: Number(process.argv[2]) },
});

/** Each client may need a second descriptor towards an instance; past that the worker could no longer open a listener. */
async function clientsThatFit(): Promise<number> {
  const limits = await readTextIfThere("/proc/self/limits");
  const descriptors = Number(/^Max open files +(\d+)/m.exec(limits ?? "")?.[1] ?? usualDescriptors);
  return Math.max(1, Math.floor((descriptors - ownDescriptors) / 2));
}

// Signals are for the edge, which tells its workers in words; a terminal and an init system send them to all at once.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const) process.on(signal, () => {});

const socketsFolder = process.argv[4] ?? "";
const perAddress = process.argv[5] === "" ? null : Number(process.argv[5]);
const limits = partOf(defaultLimits, Number(process.argv[3]), await clientsThatFit(), perAddress);
const trustedProxies = process.argv.slice(6).map(parseNetwork);
const worker = new Worker({
  makeRouter: (listen) => new EmbeddedRouter({ clock: systemClock, random: Math.random, log, limits, listen, trustedProxies }),
  send: (message) => {
    if (process.connected) process.send?.(message);
  },
  clock: systemClock,
  // Written now and not at exit: a worker that is killed is the one that has to be back at once.
  onServing: flushCompileCache,
});

const take = (message: ToWorker, socket: unknown) => {
  worker.take(message, socket).then(
    (hasEnded) => {
      if (!hasEnded) return;
      giver?.close();
      // Once the last that it said has left.
      if (process.connected) process.send?.({ kind: "reported", call: 0 }, () => process.exit(0));
      else process.exit(0);
    },
    (error: unknown) => {
      log.error("the worker ended", errorFields(error));
      process.exit(1);
    },
  );
};
giveBackMemory();
process.on("message", (message, socket) => take(message as ToWorker, socket));

// The edge was killed. The next one has workers of its own: these finish what they have, once it has taken the ports that only they hold by now.
let isOrphan = false;
const given = new AbortController();
const orphaned = async () => {
  isOrphan = true;
  const isPublicClosed = worker.closeAddresses();
  if (giver !== null) await pause(systemClock, nextEdgeWithinMs, given.signal);
  if (given.signal.aborted) await systemClock.sleep(nextWorkersWithinMs, new AbortController().signal);
  take({ kind: "close", withinMs: orphanedMs, idle: "answer" }, null);
  await isPublicClosed;
};
let giver: SocketGiver | null = null;
if (socketsFolder !== "")
  giver = await giveWhatWeHave(
    socketsFolder,
    () => worker.sockets(),
    () => {
      if (isOrphan) given.abort();
    },
  ).catch((error: unknown) => {
    log.warn("ports of routes will be refused for a moment when the edge is replaced", errorFields(error));
    return null;
  });
if (process.connected) process.on("disconnect", orphaned);
else void orphaned();
