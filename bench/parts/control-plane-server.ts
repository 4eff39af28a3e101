// The server of bench/control-plane.ts, in a process of its own so that its memory and CPU can be told apart from what is simulated.
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../src/host/clock.ts";
import { createLog } from "../../src/host/log.ts";
import type { AppName, ProcessName, SpaceName } from "../../src/model/names.ts";
import { createControlPlane } from "../../src/server/create-control-plane.ts";
import { openEventLog } from "../../src/server/events/sqlite-event-log.ts";
import { objects, put, unchanged } from "../../src/server/objects/objects.ts";
import { openSealer } from "../../src/server/secrets/open-sealer.ts";
import { createSecrets } from "../../src/server/secrets/sealed-secrets.ts";
import { openSqliteStore } from "../../src/server/store/sqlite-store.ts";
import { appAndRelease } from "../../test/simulation/fixtures.ts";

const folder = process.argv[2] ?? "";
const stop = new AbortController();
const clock = systemClock;
const log = createLog({ print: (line) => process.stderr.write(line), nowMs: clock.nowMs, least: "error" });
const store = await openSqliteStore({
  folder: join(folder, "store"),
  log,
  random: Math.random,
  fatal: (error) => {
    throw error;
  },
});
const events = openEventLog({ file: join(folder, "events.db"), clock, log });
const secrets = createSecrets({ store, sealer: openSealer(store, join(folder, "key")), clock });
const listener = createServer();
const socket = join(folder, "link.sock");
// A killed server leaves its socket behind.
rmSync(socket, { force: true });
listener.listen(socket);
const urls = { edgeUrl: "http://127.0.0.1:8080", edgeTlsUrl: "https://127.0.0.1:8443" };
const plane = createControlPlane({ store, events, secrets, listener, clock, random: Math.random, log, ...urls }, stop.signal);

const space = "bench" as SpaceName;
const web = "web" as ProcessName;

async function declare(count: number, instances: number): Promise<void> {
  for (let from = 0; from < count; from += 50) {
    const changes = Array.from({ length: Math.min(50, count - from) }, (_, i) => appOf(from + i, instances)).flat();
    await store.commit({ changes });
  }
}

function appOf(index: number, instances: number) {
  const servicePorts = { [web]: 10_000 + index };
  return appAndRelease(`app${index}` as AppName, {
    space,
    instances,
    port: "auto",
    env: { LOG_LEVEL: "info", REGION: "here" },
    servicePorts,
  });
}

async function scale(index: number, instances: number): Promise<void> {
  const stored = objects.app(store, space, `app${index}` as AppName);
  if (stored === null) throw new Error(`no app ${index}`);
  await store.commit({
    conditions: [unchanged(stored.key, stored)],
    changes: [put(stored.key, { ...stored.value, instances: { [web]: instances } })],
  });
}

type Command =
  | { readonly kind: "declare"; readonly count: number; readonly instances: number }
  | { readonly kind: "scale"; readonly index: number; readonly instances: number }
  | { readonly kind: "figures" }
  | { readonly kind: "stop" };

async function obey(command: Command): Promise<unknown> {
  switch (command.kind) {
    case "declare":
      return declare(command.count, command.instances);
    case "scale":
      return scale(command.index, command.instances);
    case "figures": {
      const began = performance.now();
      const summaries = plane.summaries();
      const summariesMs = performance.now() - began;
      const { user, system } = process.cpuUsage();
      return {
        ready: summaries.filter(({ health }) => health === "ready").length,
        summariesMs,
        cpuMs: (user + system) / 1_000,
        rssBytes: process.memoryUsage.rss(),
      };
    }
    case "stop":
      stop.abort();
      await Promise.race([plane.stopped, delay(5_000)]);
      await events.close();
      await store.close();
      setImmediate(() => process.exit(0));
      return null;
    default:
      return command satisfies never;
  }
}

process.on("message", (message: { id: number; command: Command }) => {
  void obey(message.command).then((answer) => process.send?.({ id: message.id, answer: answer ?? null }));
});
process.send?.({ id: 0, answer: null });
