// Durable writes: HTTP PUTs of 1 kB from 64 clients, each on the disk before its answer. The server's real API, the store behind a bare
// node:http (what the API's own work costs is the difference), and etcd through its JSON gateway, one after the other in the same run.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createLog } from "#host/log.ts";
import { freePort } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { openSqliteStore } from "../src/server/store/sqlite-store.ts";
import { TestDrover } from "../test/harness/drover.ts";
import { report, skip } from "./lib.ts";

const clients = 64;
const seconds = 4;
const keys = 10_000;
const value = "v".repeat(1_024);

interface Target {
  readonly port: number;
  /** Headers and body of one request, and its request line for key number `n`. */
  readonly method: "PUT" | "POST";
  readonly path: (n: number) => string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: (n: number) => string;
  /** The same as a Lua expression of `n`, for wrk. */
  readonly lua: { readonly path: string; readonly body: string };
}

interface Load {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly errors: number;
}

if (process.argv[2] === "serve") await serveBare(process.argv[3] ?? "");
else await measure();

/** The store behind the least HTTP server that there can be. */
async function serveBare(folder: string): Promise<void> {
  const log = createLog({ print: (line) => process.stderr.write(line), nowMs: Date.now, least: "warn" });
  const store = await openSqliteStore({ folder, log, random: Math.random, fatal: () => process.exit(1) });
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      store.commit({ changes: [{ kind: "put", key: request.url ?? "", value: Buffer.concat(chunks) }] }).then(
        ({ revision }) => response.end(`{"revision":${revision}}`),
        (error: Error) => response.writeHead(500).end(error.message),
      );
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
}

async function measure(): Promise<void> {
  const bare = await withFolder(measureBare);
  const api = await measureApi();
  const etcd = await withFolder(measureEtcd);
  const peer = etcd === null ? {} : { peer: ["etcd", etcd.perSecond] as const };
  const goal = etcd === null ? {} : { goal: "≥ 3 × etcd", ok: api.perSecond >= 3 * etcd.perSecond };
  report(`durable PUTs of 1 kB, ${clients} clients, API`, api.perSecond, "/s", { ...peer, ...goal });
  report("  p99", api.p99Ms, "ms", {
    ...(etcd === null ? {} : { peer: ["etcd", etcd.p99Ms] as const }),
    goal: "< 15 ms",
    ok: api.p99Ms < 15,
  });
  report(`durable PUTs of 1 kB, ${clients} clients, store behind bare node:http`, bare.perSecond, "/s", peer);
  report("  p99", bare.p99Ms, "ms");
  if (etcd === null) skip("etcd", "no `etcd` on the PATH");
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "drover-bench-store-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGTERM");
  await closed;
}

async function measureBare(folder: string): Promise<Load> {
  const child = fork(import.meta.filename, ["serve", folder]);
  try {
    const [port] = (await once(child, "message")) as [number];
    return await load({
      port,
      method: "PUT",
      path: (n) => `/kv/default/key-${n}`,
      headers: {},
      body: () => value,
      lua: { path: '"/kv/default/key-" .. n', body: `"${value}"` },
    });
  } finally {
    await stop(child);
  }
}

async function measureApi(): Promise<Load> {
  await using drover = await TestDrover.start();
  await drover.apply("space: default\n");
  return await load({
    port: drover.apiPort,
    method: "PUT",
    path: (n) => `/v1/spaces/default/kv/key-${n}`,
    headers: { authorization: `Bearer ${await drover.token()}`, "content-type": "application/octet-stream" },
    body: () => value,
    lua: { path: '"/v1/spaces/default/kv/key-" .. n', body: `"${value}"` },
  });
}

async function measureEtcd(folder: string): Promise<Load | null> {
  const program = programOnPath("etcd");
  if (program === null) return null;
  const port = await freePort();
  const [client, peers] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${await freePort()}`];
  const options = {
    "data-dir": folder,
    "listen-client-urls": client,
    "advertise-client-urls": client,
    "listen-peer-urls": peers,
    "initial-advertise-peer-urls": peers,
    "initial-cluster": `default=${peers}`,
    "log-level": "error",
    logger: "zap",
  };
  const etcd = spawn(
    program,
    Object.entries(options).flatMap(([name, text]) => [`--${name}`, text]),
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  try {
    await untilPut(port);
    const sealed = Buffer.from(value).toString("base64");
    return await load({
      port,
      method: "POST",
      path: () => "/v3/kv/put",
      headers: { "content-type": "application/json" },
      body: (n) => `{"key":"${String(n).padStart(8, "0")}","value":"${sealed}"}`,
      // Eight digits happen to be valid base64, so Lua need not encode: as many keys, of six bytes each.
      lua: { path: '"/v3/kv/put"', body: `'{"key":"' .. string.format("%08d", n) .. '","value":"${sealed}"}'` },
    });
  } finally {
    await stop(etcd);
  }
}

async function untilPut(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${port}/v3/kv/put`, { method: "POST", body: '{"key":"YQ==","value":"YQ=="}' }).catch(
      () => null,
    );
    if (answer?.ok) return;
    await delay(50);
  }
  throw new Error("etcd never answered");
}

/** A second to warm up, then the measured time. wrk costs the least; without it a generator of our own, which says so. */
async function load(target: Target): Promise<Load> {
  const wrk = programOnPath("wrk");
  if (wrk === null) {
    console.log("wrk is not here; the load comes from this process, which may be the bottleneck");
    await generate(target, 1);
    return generate(target, seconds);
  }
  return withFolder(async (folder) => {
    const script = join(folder, "put.lua");
    await writeFile(script, luaOf(target));
    await runWrk(wrk, script, target.port, 1);
    return runWrk(wrk, script, target.port, seconds);
  });
}

function luaOf({ method, headers, lua }: Target): string {
  const lines = Object.entries(headers).map(([name, text]) => `wrk.headers["${name}"] = "${text}"`);
  // Requests are made once, before the run, so that the generator only sends.
  return `${lines.join("\n")}
local requests, i = {}, 0
function init(args)
  for n = 1, ${keys} do requests[n] = wrk.format("${method}", ${lua.path}, nil, ${lua.body}) end
end
function request() i = i % ${keys} + 1; return requests[i] end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}

async function runWrk(wrk: string, script: string, port: number, forSeconds: number): Promise<Load> {
  const child = spawn(wrk, ["-t1", `-c${clients}`, `-d${forSeconds}s`, "-s", script, `http://127.0.0.1:${port}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  await once(child, "close");
  const [, requests, durationUs, p99Us, errors] = (/RESULT (\d+) (\d+) (\d+) (\d+)/.exec(output) ?? []).map(Number);
  if (requests === undefined || durationUs === undefined || p99Us === undefined || errors === undefined)
    throw new Error(`wrk said: ${output}`);
  if (errors > 0) throw new Error(`${errors} requests failed: ${output}`);
  return { perSecond: requests / (durationUs / 1e6), p99Ms: p99Us / 1_000, errors };
}

/** The same load over plain sockets, one request at a time on each. */
async function generate(target: Target, forSeconds: number): Promise<Load> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  const end = startedAt + forSeconds * 1_000;
  let n = 0;
  const client = () =>
    new Promise<void>((resolve, reject) => {
      let sentAt = 0;
      const socket = net.connect(target.port, "127.0.0.1");
      const send = () => {
        const body = target.body(n % keys);
        const head = Object.entries({ host: "127.0.0.1", ...target.headers, "content-length": String(Buffer.byteLength(body)) });
        sentAt = performance.now();
        socket.write(
          `${target.method} ${target.path(n++ % keys)} HTTP/1.1\r\n${head.map(([name, text]) => `${name}: ${text}\r\n`).join("")}\r\n${body}`,
        );
      };
      // Answers are small: one comes as one chunk.
      socket.on("data", (chunk) => {
        if (chunk.toString("latin1", 9, 10) !== "2") {
          socket.destroy(new Error(`answered ${chunk.toString("latin1", 0, 80)}`));
          return;
        }
        latencies.push(performance.now() - sentAt);
        if (performance.now() < end) send();
        else socket.end(resolve);
      });
      socket.once("connect", send);
      socket.once("error", reject);
    });
  await Promise.all(Array.from({ length: clients }, client));
  latencies.sort((a, b) => a - b);
  const p99Ms = latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN;
  return { perSecond: latencies.length / ((performance.now() - startedAt) / 1_000), p99Ms, errors: 0 };
}
