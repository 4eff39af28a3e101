/**
 * Requests per second of the edge beside HAProxy, nginx and Caddy: keep-alive, 64 connections, a small and a 64 KiB answer; and the time that each
 * adds to a request at half of Caddy's load. The proxy has core 0, the client and the app behind it core 1. Absent peers are skipped.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "#host/testing/free-ports.ts";
import { droverBin } from "../test/harness/drover.ts";
import { cpuSecondsOf, listening, median, programOnPath, report, skip } from "./lib.ts";

const run = promisify(execFile);
const taskset = programOnPath("taskset") ?? "";
const host = "bench.test";
const seconds = 4;
const connections = 64;
const rounds = 3;
const folder = await mkdtemp(join(tmpdir(), "drover-bench-edge-"));
const driven = "drover edge, router HAProxy";
const children: ChildProcess[] = [];

function start(core: number, program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
  children.push(
    spawn(taskset, ["-c", String(core), program, ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, ...environment },
    }),
  );
}

/** The app: answers each request head with the same bytes, as cheaply as Node can. */
const app = `
  const small = Buffer.from("HTTP/1.1 200 OK\\r\\ncontent-type: text/plain\\r\\ncontent-length: 16\\r\\n\\r\\nhello from app.\\n");
  const big = Buffer.concat([Buffer.from("HTTP/1.1 200 OK\\r\\ncontent-length: 65536\\r\\n\\r\\n"), Buffer.alloc(65536, "x")]);
  require("node:net").createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes.toString("latin1", 0, 8).startsWith("GET /big") ? big : small));
  }).listen(Number(process.argv[1]), "127.0.0.1");`;

interface Proxy {
  readonly name: string;
  readonly start: (port: number, appPort: number) => Promise<void>;
}

/** What an edge starts from: one route to the app. */
async function homeWithRoute(name: string, appPort: number): Promise<string> {
  const home = join(folder, name);
  await mkdir(join(home, "edge"), { recursive: true });
  const endpoint = { instance: "bench/app/web.1.aaaaa", host: "127.0.0.1", port: appPort };
  const route = {
    id: "bench",
    space: "bench",
    app: "app",
    process: "web",
    listener: { kind: "public", host, path: "/" },
    targets: [{ release: 1, weight: 1, endpoints: [endpoint] }],
  };
  await writeFile(join(home, "edge", "table.json"), JSON.stringify({ epoch: 1, revision: 1, routes: [route] }));
  return home;
}

const proxies: readonly (Proxy & { readonly program: string | null })[] = [
  {
    name: "drover edge",
    program: droverBin,
    start: async (port, appPort) => {
      const home = await homeWithRoute("home", appPort);
      start(0, droverBin, ["edge", "--home", home, "--http", `127.0.0.1:${port}`]);
    },
  },
  {
    name: driven,
    program: programOnPath("haproxy"),
    start: async (port, appPort) => {
      const home = await homeWithRoute("driven", appPort);
      start(0, droverBin, ["edge", "--home", home, "--http", `127.0.0.1:${port}`, "--router", "haproxy"]);
    },
  },
  {
    name: "HAProxy",
    program: programOnPath("haproxy"),
    start: async (port, appPort) => {
      const file = join(folder, "haproxy.cfg");
      await writeFile(
        file,
        `global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  option forwardfor\n  http-reuse always\nfrontend f\n  bind 127.0.0.1:${port}\n  use_backend b if { hdr(host) -i ${host} }\nbackend b\n  server s 127.0.0.1:${appPort}\n`,
      );
      start(0, "haproxy", ["-q", "-db", "-f", file]);
    },
  },
  {
    name: "nginx",
    program: programOnPath("nginx"),
    start: async (port, appPort) => {
      const file = join(folder, "nginx.conf");
      await writeFile(
        file,
        `worker_processes 1;\ndaemon off;\npid ${folder}/nginx.pid;\nerror_log /dev/null;\nevents { worker_connections 4096; }\nhttp { access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi; keepalive_requests 100000000; upstream u { server 127.0.0.1:${appPort}; keepalive 256; keepalive_requests 100000000; } server { listen 127.0.0.1:${port}; server_name ${host}; location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; } } }\n`,
      );
      start(0, "nginx", ["-c", file, "-e", "/dev/null"]);
    },
  },
  {
    name: "Caddy",
    program: programOnPath("caddy"),
    start: async (port, appPort) => {
      const file = join(folder, "Caddyfile");
      await writeFile(
        file,
        `{\n  admin off\n  auto_https off\n}\nhttp://${host}:${port} {\n  bind 127.0.0.1\n  reverse_proxy 127.0.0.1:${appPort}\n}\n`,
      );
      start(0, "caddy", ["run", "--adapter", "caddyfile", "--config", file], {
        GOMAXPROCS: "1",
        HOME: folder,
        XDG_DATA_HOME: folder,
        XDG_CONFIG_HOME: folder,
      });
    },
  },
];

/** CPU time of a process and of its living children so far, in microseconds. */
async function cpuUs(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const all = [pid, ...children.split(" ").filter(Boolean).map(Number)];
  const seconds = await Promise.all(all.map(cpuSecondsOf));
  return seconds.reduce((sum, value) => sum + value, 0) * 1_000_000;
}

interface Figures {
  readonly cpuUs: number;
  readonly rps: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** @param more arguments of wrk */
async function load(pid: number, port: number, path: string, more: readonly string[] = []): Promise<Figures> {
  const before = await cpuUs(pid);
  const wrk = ["-c", "1", "wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-H", `Host: ${host}`, ...more];
  const { stdout } = await run(taskset, [...wrk, `http://127.0.0.1:${port}${path}`]);
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
  if (failed !== undefined) throw new Error(`${failed} requests failed:\n${stdout}`);
  const waitMs = (share: number) => {
    const [, wait = "0", unit = "ms"] = new RegExp(`${share}%\\s+([\\d.]+)(us|ms|s)`).exec(stdout) ?? [];
    return Number(wait) * ({ us: 0.001, ms: 1, s: 1_000 }[unit] ?? 1);
  };
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  return {
    cpuUs: ((await cpuUs(pid)) - before) / requests,
    rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    p50Ms: waitMs(50),
    p99Ms: waitMs(99),
  };
}

const middle = (all: readonly Figures[]): Figures =>
  [...all].sort((a, b) => a.rps - b.rps)[Math.floor(all.length / 2)] ?? {
    cpuUs: Number.NaN,
    rps: Number.NaN,
    p50Ms: Number.NaN,
    p99Ms: Number.NaN,
  };

interface Place {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

/** What each adds to the waits of requests that come at half the rate that Caddy can carry, beside the app without a proxy. */
async function reportAddedWaits(app: Place, proxies: readonly Place[], caddyRps: number): Promise<void> {
  const pace = join(folder, "pace.lua");
  const pauseMs = (connections / (caddyRps / 2)) * 1_000;
  await writeFile(pace, `function delay() return math.random(0, ${Math.round(2 * pauseMs)}) end\n`);
  const places = [app, ...proxies];
  const waits = new Map(places.map(({ name }) => [name, { p50Ms: [] as number[], p99Ms: [] as number[] }]));
  for (let round = 0; round < rounds; round++)
    for (const { name, pid, port } of places) {
      const { p50Ms, p99Ms } = await load(pid, port, "/", ["-s", pace]);
      waits.get(name)?.p50Ms.push(p50Ms);
      waits.get(name)?.p99Ms.push(p99Ms);
    }
  const added = ({ name }: Place, key: "p50Ms" | "p99Ms") =>
    median(waits.get(name)?.[key] ?? []) - median(waits.get(app.name)?.[key] ?? []);
  const [edge, ...peers] = proxies;
  if (edge === undefined) return;
  for (const key of ["p50Ms", "p99Ms"] as const) {
    for (const peer of peers) {
      const [ours, theirs] = [added(edge, key), added(peer, key)];
      const goal = peer.name === "Caddy" ? { goal: "less", ok: ours < theirs } : {};
      report(`added wait at half load, ${key.slice(0, 3)}`, ours, "ms", { peer: [peer.name, theirs], ...goal });
    }
  }
}

async function main(): Promise<void> {
  if (programOnPath("wrk") === null || taskset === "") return skip("requests through the edge", "wrk and taskset are needed");
  const appPort = await freePort();
  start(1, process.execPath, ["-e", app, String(appPort)]);
  const behind: Place = { name: "no proxy", pid: children.at(-1)?.pid ?? 0, port: appPort };
  await listening(appPort);
  const running: {
    readonly name: string;
    readonly pid: number;
    readonly port: number;
    readonly small: Figures[];
    readonly big: Figures[];
  }[] = [];
  for (const proxy of proxies) {
    if (proxy.program === null) {
      skip(`${proxy.name}, as a peer`, "not installed");
      continue;
    }
    const port = await freePort();
    await proxy.start(port, appPort);
    await listening(port);
    await run(taskset, ["-c", "1", "wrk", "-t1", "-c64", "-d1s", "-H", `Host: ${host}`, `http://127.0.0.1:${port}/`]);
    running.push({ name: proxy.name, pid: children.at(-1)?.pid ?? 0, port, small: [], big: [] });
  }
  // In turns, so that whatever else the machine does hits all of them alike.
  for (let round = 0; round < rounds; round++)
    for (const { pid, port, small, big } of running) {
      small.push(await load(pid, port, "/"));
      big.push(await load(pid, port, "/big"));
    }
  const [edge, ...peers] = running;
  if (edge === undefined) return;
  const goals: Readonly<Record<string, readonly [number, number]>> = { HAProxy: [0.8, 0], Caddy: [2.6, 1.4] };
  for (const [what, at, pick] of [
    ["small answers, one core", 0, (all: typeof edge) => middle(all.small)],
    ["64 KiB answers, one core", 1, (all: typeof edge) => middle(all.big)],
  ] as const) {
    const { rps, p99Ms } = pick(edge);
    // The steadiest figure on a machine that does other things too.
    const haproxy = peers.find(({ name }) => name === "HAProxy");
    report(
      `${what}: CPU time of a request`,
      pick(edge).cpuUs,
      "µs",
      haproxy === undefined ? {} : { peer: ["HAProxy", pick(haproxy).cpuUs] },
    );
    report(`${what}: p99`, p99Ms, "ms");
    if (peers.length === 0) report(what, rps, "req/s");
    const own = peers.find(({ name }) => name === driven);
    if (own !== undefined && haproxy !== undefined) {
      const [ours, byHand] = [pick(own), pick(haproxy)];
      const ratio = ours.rps / byHand.rps;
      const goal = at === 0 ? { goal: "0.95 ×", ok: ratio >= 0.95 } : {};
      report(`${what}, router HAProxy`, ours.rps, "req/s", { peer: ["HAProxy by hand", byHand.rps], ...goal });
      report(`${what}, router HAProxy: CPU time of a request`, ours.cpuUs, "µs", { peer: ["HAProxy by hand", byHand.cpuUs] });
    }
    for (const peer of peers) {
      const theirs = pick(peer).rps;
      const goal = goals[peer.name]?.[at] ?? 0;
      report(what, rps, "req/s", { peer: [peer.name, theirs], ...(goal === 0 ? {} : { goal: `${goal} ×`, ok: rps / theirs >= goal }) });
    }
  }
  const caddy = peers.find(({ name }) => name === "Caddy");
  if (caddy !== undefined) await reportAddedWaits(behind, running, middle(caddy.small).rps);
}

try {
  await main();
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  await rm(folder, { recursive: true, force: true });
}
