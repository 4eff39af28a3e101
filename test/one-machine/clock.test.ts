import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts } from "#host/testing/free-ports.ts";
import { plainStart, SimulatedEngine, simulatedMachine } from "../../src/agent/engines/testing/simulated-engine.ts";
import { engineRoutes } from "../../src/agent/routes.ts";
import { systemClock } from "../../src/host/clock.ts";
import { homeAt } from "../../src/host/home.ts";
import { createLog } from "../../src/host/log.ts";
import { dial } from "../../src/link/dial.ts";
import { serveLink } from "../../src/link/serve.ts";
import type { AppStatus } from "../../src/model/api.ts";
import { droverBin, request } from "../harness/drover.ts";

const library = ["x86_64", "aarch64"]
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((file) => existsSync(file));
/** The app takes this long to become ready: time enough for the clock to jump on the way. */
const readyMs = 700;

test("a server whose clock jumps an hour, forth and back, in the middle of a deploy does nothing early", async (t) => {
  if (library === undefined) return t.skip("libfaketime is not here: a server clock that jumps was not tested");
  const folder = await mkdtemp(join(tmpdir(), "drover-clock-"));
  const home = homeAt(folder);
  const offset = join(folder, "offset");
  await writeFile(offset, "+0");
  const [port, edge] = await freePorts(2);
  const server = spawn(droverBin, ["server", "--home", folder, "--api", `127.0.0.1:${port}`, "--edge", `127.0.0.1:${edge}`], {
    env: {
      PATH: process.env["PATH"],
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  server.stderr.on("data", (chunk) => (said += chunk));
  const stop = new AbortController();
  const shared = { clock: systemClock, random: Math.random, log: createLog({ print: () => {}, nowMs: Date.now }) };
  const engine = new SimulatedEngine({ ...shared, machine: simulatedMachine(), behaviour: () => ({ ...plainStart, readyMs }) });
  t.after(async () => {
    stop.abort();
    engine.close();
    if (server.exitCode === null && server.signalCode === null) {
      const ended = once(server, "exit");
      server.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true });
  });
  const call = async (method: string, path: string, body?: unknown) => {
    const token = (await readFile(home.tokenFile, "utf8")).trim();
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const answer = await request({ port: port ?? 0, method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    assert.equal(answer.status, 200, answer.body);
    return JSON.parse(answer.body);
  };
  const until = async <T>(what: string, look: () => Promise<T | null>): Promise<T> => {
    for (const endMs = performance.now() + 30_000; performance.now() < endMs; await systemClock.sleep(20, t.signal)) {
      const found = await look();
      if (found !== null) return found;
    }
    throw new Error(`never came: ${what}\n${said}`);
  };
  const listens = (at: net.NetConnectOpts) =>
    new Promise<true | null>((resolve) => {
      const socket = net.connect(at, () => resolve(true)).on("error", () => resolve(null));
      socket.on("connect", () => socket.destroy());
    });
  await until("the server's sockets", async () => (await listens({ path: home.linkSocket })) && (await listens({ port: port ?? 0 })));
  const agent = serveLink(
    {
      ...shared,
      connect: (signal) => dial(home.linkSocket, signal),
      hello: () => ({ role: "agent", machine: "m1", installation: null }),
      admit: async () => {},
      routes: engineRoutes(engine),
    },
    stop.signal,
  );
  t.after(() => agent);
  const status = (): Promise<AppStatus> => call("GET", "/v1/spaces/default/apps/web");
  const deploy = async (version: number, jump: string): Promise<number> => {
    // The deadline is far away on a clock that does not jump, and over at once on one that does.
    const text = `app: web\nrun: serve\nenv: { VERSION: "${version}" }\ndeploy: { deadline: 2m }\nstop: { drain: 0s }\n`;
    await call("POST", "/v1/apply", { documents: [{ file: "app.yaml", text }] });
    await until("the rollout begins", async () => ((await status()).rollout === null ? null : true));
    await writeFile(offset, jump);
    const ended = await until("the rollout ends", async () => {
      const seen = await status();
      return seen.rollout === null && (seen.active === version || seen.lastFailure !== null) ? seen : null;
    });
    assert.deepEqual([ended.lastFailure, ended.active], [null, version], `after the jump by ${jump}`);
    const { events } = await call("GET", "/v1/events?limit=100");
    return Math.max(...events.map(({ atMs }: { atMs: number }) => atMs)) - Date.now();
  };
  const ladder = `ladder: demo\nlevels: [{ name: all, run: "true" }]\nchecks: { cron: { heartbeat: 30m, every: 1s, failures: 1, level: all } }\n`;
  await call("POST", "/v1/apply", { documents: [{ file: "ladder.yaml", text: ladder }] });
  await call("POST", "/v1/spaces/default/pause", { forMs: 1_800_000 });
  const nothingEarly = async () => {
    const { ladder: view } = await call("GET", "/v1/spaces/default/ladder");
    const { checks } = await call("GET", "/v1/spaces/default/checks");
    const { escalations } = await call("GET", "/v1/spaces/default/escalations");
    const verdicts = checks.map(({ verdict }: { verdict: string }) => verdict);
    assert.deepEqual([view.pauses.length, verdicts, escalations], [1, ["ok"], []], "neither a pause ends nor a check fails by the jump");
  };
  await until("the heartbeat is judged", async () => {
    const { checks } = await call("GET", "/v1/spaces/default/checks");
    return checks[0]?.verdict === "ok" ? true : null;
  });
  assert.ok((await deploy(1, "+1h")) > 3_500_000, "the server's clock did jump: its stamps say so");
  await nothingEarly();
  await deploy(2, "-1h");
  await nothingEarly();
  await deploy(3, "+0");
  assert.equal(server.exitCode, null, said);
  return undefined;
});
