// What does one change cost with 10 apps and with 1,000, how large is the server, and how long does a restart take? The server's own pieces over a
// real store and real links; only the processes and the edge's sockets are simulated.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SimulatedEngine, simulatedMachine } from "../src/agent/engines/testing/simulated-engine.ts";
import { engineRoutes } from "../src/agent/routes.ts";
import { systemClock } from "../src/host/clock.ts";
import { createLog } from "../src/host/log.ts";
import { serveLink } from "../src/link/serve.ts";
import type { RoutingPatch, RoutingTable } from "../src/model/routing-table.ts";
import { SimulatedEdge } from "../test/simulation/simulated-edge.ts";
import { median, quantile, report } from "./lib.ts";

interface Figures {
  readonly ready: number;
  readonly summariesMs: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
}

const log = createLog({ print: (line) => process.stderr.write(line), nowMs: Date.now, least: "error" });
const instancesEach = 10;
const changes = 60;

class Server {
  readonly #child: ChildProcess;
  #id = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(folder: string): Promise<Server> {
    const child = fork(join(import.meta.dirname, "parts", "control-plane-server.ts"), [folder], { execArgv: ["--max-semi-space-size=4"] });
    await once(child, "message");
    return new Server(child);
  }

  async ask<T>(command: object): Promise<T> {
    const id = ++this.#id;
    const answer = new Promise<T>((resolve) => {
      const onMessage = (message: { id: number; answer: T }) => {
        if (message.id !== id) return;
        this.#child.off("message", onMessage);
        resolve(message.answer);
      };
      this.#child.on("message", onMessage);
    });
    this.#child.send({ id, command });
    return answer;
  }

  kill(): Promise<unknown> {
    this.#child.kill("SIGKILL");
    return once(this.#child, "exit");
  }

  async stop(): Promise<void> {
    const exit = once(this.#child, "exit");
    await this.ask({ kind: "stop" });
    await exit;
  }
}

interface Result {
  readonly latencies: readonly number[];
  readonly cpuMs: number;
  readonly figures: Figures;
  readonly restartMs: number;
  readonly firstMs: number;
}

async function measure(apps: number): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "drover-bench-"));
  const stop = new AbortController();
  const engine = new SimulatedEngine({ machine: simulatedMachine(), clock: systemClock, random: Math.random, firstPort: 1 });
  const edge = new SimulatedEdge(systemClock, () => 0);
  const onTable = new Set<() => void>();
  const changed = () => {
    for (const listener of onTable) listener();
  };
  let server = await Server.start(folder);
  const dial = {
    connect: async () => {
      const socket = net.connect(join(folder, "link.sock"));
      await once(socket, "connect");
      return socket;
    },
    admit: async () => {},
    clock: systemClock,
    random: Math.random,
    log,
  };
  const serving = [
    serveLink(
      {
        ...dial,
        hello: () => ({ role: "agent", machine: "m1", installation: null }),
        routes: { ...engineRoutes(engine), "DELETE /apps/:app": async () => null },
      },
      stop.signal,
    ),
    serveLink(
      {
        ...dial,
        hello: () => ({ role: "edge", machine: "m1", installation: null }),
        routes: {
          "GET /revision": async () => edge.revision,
          "PUT /table": async (call) => {
            edge.putTable((await call.body()) as RoutingTable);
            changed();
            return null;
          },
          "PATCH /table": async (call) => {
            edge.patchTable((await call.body()) as RoutingPatch);
            changed();
            return null;
          },
          "GET /draining": async (call) => {
            await call.lines(edge.draining(call.signal));
            return undefined;
          },
          "GET /traffic": async () => ({ targets: [] }),
        },
      },
      stop.signal,
    ),
  ];
  const routed = (app: string) =>
    [...edge.routes.values()].find((route) => route.app === app)?.targets.reduce((sum, target) => sum + target.endpoints.length, 0) ?? 0;
  const until = async (holds: () => boolean) => {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        const listener = () => {
          onTable.delete(listener);
          resolve();
        };
        onTable.add(listener);
      });
    }
  };
  const untilAllReady = async () => {
    for (;;) {
      const figures = await server.ask<Figures>({ kind: "figures" });
      if (figures.ready === apps && edge.instances().size === apps * instancesEach) return;
      await delay(50);
    }
  };

  const declared = performance.now();
  await server.ask({ kind: "declare", count: apps, instances: instancesEach });
  await untilAllReady();
  const firstMs = performance.now() - declared;
  await delay(2_000);

  const latencies: number[] = [];
  const before = await server.ask<Figures>({ kind: "figures" });
  for (let i = 0; i < changes; i++) {
    const index = i % Math.min(apps, 10);
    const wanted = routed(`app${index}`) === instancesEach ? instancesEach + 1 : instancesEach;
    const began = performance.now();
    await server.ask({ kind: "scale", index, instances: wanted });
    await until(() => routed(`app${index}`) === wanted);
    latencies.push(performance.now() - began);
  }
  await delay(200);
  const after = await server.ask<Figures>({ kind: "figures" });
  const cpuMs = (after.cpuMs - before.cpuMs - after.summariesMs) / changes;

  await server.kill();
  const restarted = performance.now();
  server = await Server.start(folder);
  const revision = edge.revision.revision;
  await until(() => edge.revision.revision > revision);
  for (let figures = await server.ask<Figures>({ kind: "figures" }); figures.ready < apps; ) {
    await delay(20);
    figures = await server.ask<Figures>({ kind: "figures" });
  }
  const restartMs = performance.now() - restarted;
  const figures = await server.ask<Figures>({ kind: "figures" });
  await server.stop();
  stop.abort();
  await Promise.all(serving);
  await rm(folder, { recursive: true });
  return { latencies, cpuMs, figures: { ...figures, rssBytes: Math.max(after.rssBytes, figures.rssBytes) }, restartMs, firstMs };
}

const few = await measure(10);
const many = await measure(1_000);
const ratio = median(many.latencies) / median(few.latencies);
report("one change with 1,000 apps until it is routed, median", median(many.latencies), "ms", {
  peer: ["with 10 apps", median(few.latencies)],
  goal: "within 2 ×",
  ok: ratio <= 2,
});
report("one change with 1,000 apps until it is routed, p99", quantile(many.latencies, 0.99), "ms", {
  peer: ["with 10 apps", quantile(few.latencies, 0.99)],
});
report("CPU of the server for one change with 1,000 apps", many.cpuMs, "ms", {
  peer: ["with 10 apps", few.cpuMs],
  goal: "within 2 ×",
  ok: many.cpuMs / few.cpuMs <= 2,
});
report("server's memory with 1,000 apps and 10,000 instances", many.figures.rssBytes / 2 ** 20, "MiB", {
  peer: ["with 10 apps", few.figures.rssBytes / 2 ** 20],
  goal: "under 400 MiB",
  ok: many.figures.rssBytes < 400 * 2 ** 20,
});
report("kill -9 of the server until it has converged again", many.restartMs / 1_000, "s", {
  goal: "under 10 s",
  ok: many.restartMs < 10_000,
});
report("1,000 apps and 10,000 instances from nothing to routed", many.firstMs / 1_000, "s");
report("summaries of 1,000 apps", many.figures.summariesMs, "ms");
