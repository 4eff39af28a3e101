/**
 * Requests per second of the edge beside HAProxy, nginx and Caddy: keep-alive, 64 connections, a small and a 64 KiB answer. The proxy has core 0,
 * the client and the app behind it core 1. Absent peers are skipped.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "#host/testing/free-ports.ts";
import { droverBin } from "../test/harness/drover.ts";
import { cpuSecondsOf, listening, programOnPath, report, skip } from "./lib.ts";

const run = promisify(execFile);
const taskset = programOnPath("taskset") ?? "";
const host = "bench.test";
const seconds = 4;
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
  readonly p99Ms: number;
}

async function load(pid: number, port: number, path: string): Promise<Figures> {
  const before = await cpuUs(pid);
  const { stdout } = await run(taskset, [
    "-c",
    "1",
    "wrk",
    "-t1",
    "-c64",
    `-d${seconds}s`,
    "--latency",
    "-H",
    `Host: ${host}`,
    `http://127.0.0.1:${port}${path}`,
  ]);
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
  if (failed !== undefined) throw new Error(`${failed} requests failed:\n${stdout}`);
  const [, p99 = "0", unit = "ms"] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const scale = { us: 0.001, ms: 1, s: 1_000 }[unit] ?? 1;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  return {
    cpuUs: ((await cpuUs(pid)) - before) / requests,
    rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    p99Ms: Number(p99) * scale,
  };
}

const middle = (all: readonly Figures[]): Figures =>
  [...all].sort((a, b) => a.rps - b.rps)[Math.floor(all.length / 2)] ?? { cpuUs: Number.NaN, rps: Number.NaN, p99Ms: Number.NaN };

async function main(): Promise<void> {
  if (programOnPath("wrk") === null || taskset === "") return skip("requests through the edge", "wrk and taskset are needed");
  const appPort = await freePort();
  start(1, process.execPath, ["-e", app, String(appPort)]);
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
}

try {
  await main();
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  await rm(folder, { recursive: true, force: true });
}
