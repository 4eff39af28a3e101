/**
 * Requests and new connections per second of the edge over TLS, beside HAProxy and Caddy: ECDSA P-256, HTTP/1.1, a small answer, 64 connections.
 * The proxy has core 0, the client and the app behind it core 1. Absent peers are skipped.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePorts } from "#host/testing/free-ports.ts";
import { keyPem, makeCertificate, newKey } from "../src/host/x509/make-certificate.ts";
import { droverBin } from "../test/harness/drover.ts";
import { listening, programOnPath, report, skip } from "./lib.ts";

const run = promisify(execFile);
const taskset = programOnPath("taskset") ?? "";
/** What wrk asks for in its handshakes, and everybody resolves. */
const host = "localhost";
const seconds = 3;
const rounds = 3;
const folder = await mkdtemp(join(tmpdir(), "drover-bench-tls-"));
const children: ChildProcess[] = [];

function start(core: number, program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
  const env = { ...process.env, ...environment };
  children.push(spawn(taskset, ["-c", String(core), program, ...args], { stdio: "ignore", env }));
}

/** Answers each request head with the same bytes, as cheaply as Node can. */
const app = `
  const small = Buffer.from("HTTP/1.1 200 OK\\r\\ncontent-type: text/plain\\r\\ncontent-length: 16\\r\\n\\r\\nhello from app.\\n");
  require("node:net").createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(small));
  }).listen(Number(process.argv[1]), "127.0.0.1");`;

const key = await newKey();
const nowMs = Date.now();
const life = { notBeforeMs: nowMs - 86_400_000, notAfterMs: nowMs + 86_400_000 };
const certificate = { cert: makeCertificate({ name: host, key, ...life, use: { kind: "server", hosts: [host] } }), key: keyPem(key) };
const pemFile = join(folder, "both.pem");
await writeFile(pemFile, certificate.cert + certificate.key);

async function startEdge(httpPort: number, port: number, appPort: number): Promise<void> {
  const edge = join(folder, "home", "edge");
  await mkdir(edge, { recursive: true });
  const endpoint = { instance: "bench/app/web.1.aaaaa", host: "127.0.0.1", port: appPort };
  const place = { space: "bench", app: "app", process: "web", listener: { kind: "public", host, path: "/" } };
  const route = { id: "bench", ...place, targets: [{ release: 1, weight: 1, endpoints: [endpoint] }] };
  const own = { id: "own/bench", hosts: [host], chain: certificate.cert, key: certificate.key, isTrusted: false };
  await writeFile(join(edge, "table.json"), JSON.stringify({ epoch: 1, revision: 1, routes: [route] }));
  await writeFile(join(edge, "certificates.json"), JSON.stringify({ set: [own], remove: [] }));
  const addresses = ["--http", `127.0.0.1:${httpPort}`, "--https", `127.0.0.1:${port}`];
  start(0, droverBin, ["edge", "--home", join(folder, "home"), ...addresses, "--workers", "1"]);
}

async function startHaproxy(port: number, appPort: number): Promise<void> {
  const file = join(folder, "haproxy.cfg");
  const text = `global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  option forwardfor\n  http-reuse always\nfrontend f\n  bind 127.0.0.1:${port} ssl crt ${pemFile} ssl-min-ver TLSv1.2\n  default_backend b\nbackend b\n  server s 127.0.0.1:${appPort}\n`;
  await writeFile(file, text);
  start(0, "haproxy", ["-q", "-db", "-f", file]);
}

async function startCaddy(port: number, appPort: number): Promise<void> {
  const file = join(folder, "Caddyfile");
  const text = `{\n  admin off\n  auto_https disable_redirects\n}\nhttps://${host}:${port} {\n  bind 127.0.0.1\n  tls ${pemFile} ${pemFile}\n  reverse_proxy 127.0.0.1:${appPort}\n}\n`;
  await writeFile(file, text);
  const environment = { GOMAXPROCS: "1", HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  start(0, "caddy", ["run", "--adapter", "caddyfile", "--config", file], environment);
}

/** CPU time of a process and of its living children so far, in microseconds. */
async function cpuUs(pid: number): Promise<number> {
  const workers = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  let all = 0;
  for (const one of [pid, ...workers.split(" ").filter(Boolean).map(Number)]) {
    const fields = (await readFile(`/proc/${one}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    all += (Number(fields[11]) + Number(fields[12])) * 10_000;
  }
  return all;
}

interface Figures {
  readonly rps: number;
  readonly cpuUs: number;
}

async function load(pid: number, port: number, ...headers: readonly string[]): Promise<Figures> {
  const before = await cpuUs(pid);
  const more = headers.flatMap((header) => ["-H", header]);
  const { stdout } = await run(taskset, ["-c", "1", "wrk", "-t1", "-c64", `-d${seconds}s`, ...more, `https://${host}:${port}/`]);
  const failed = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1];
  if (failed !== undefined) throw new Error(`${failed} requests failed:\n${stdout}`);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  return { rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), cpuUs: ((await cpuUs(pid)) - before) / requests };
}

const middle = (all: readonly Figures[], key: keyof Figures): number =>
  all.map((one) => one[key]).sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;

async function main(): Promise<void> {
  if (programOnPath("wrk") === null || taskset === "") return skip("requests over TLS", "wrk and taskset are needed");
  const [appPort = 0, httpPort = 0, ...ports] = await freePorts(5);
  start(1, process.execPath, ["-e", app, String(appPort)]);
  await listening(appPort);
  const proxies = [
    { name: "drover edge", program: droverBin, start: (port: number) => startEdge(httpPort, port, appPort) },
    { name: "HAProxy", program: programOnPath("haproxy"), start: (port: number) => startHaproxy(port, appPort) },
    { name: "Caddy", program: programOnPath("caddy"), start: (port: number) => startCaddy(port, appPort) },
  ];
  const running: {
    readonly name: string;
    readonly pid: number;
    readonly port: number;
    readonly kept: Figures[];
    readonly fresh: Figures[];
  }[] = [];
  for (const [i, proxy] of proxies.entries()) {
    if (proxy.program === null) {
      skip(`${proxy.name}, as a peer`, "not installed");
      continue;
    }
    const port = ports[i] ?? 0;
    await proxy.start(port);
    await listening(port);
    running.push({ name: proxy.name, pid: children.at(-1)?.pid ?? 0, port, kept: [], fresh: [] });
  }
  // In turns, so that whatever else the machine does hits all of them alike.
  for (let round = 0; round < rounds; round++)
    for (const { pid, port, kept, fresh } of running) {
      kept.push(await load(pid, port));
      fresh.push(await load(pid, port, "Connection: close"));
    }
  const [edge, ...peers] = running;
  if (edge === undefined) return;
  const goals: Readonly<Record<string, readonly [number, number]>> = { HAProxy: [0.8, 0], Caddy: [2.2, 0.7] };
  for (const { name, kept, fresh } of peers) {
    const [ofKept = 0, ofFresh = 0] = goals[name] ?? [];
    const rows = [
      ["over TLS, keep-alive, one core", middle(edge.kept, "rps"), middle(kept, "rps"), ofKept, "req/s"],
      ["new TLS connections, one core", middle(edge.fresh, "rps"), middle(fresh, "rps"), ofFresh, "conn/s"],
      // The steadier figures on a machine that does other things too.
      ["over TLS, keep-alive: CPU time of a request", middle(edge.kept, "cpuUs"), middle(kept, "cpuUs"), 0, "µs"],
      ["new TLS connections: CPU time of one", middle(edge.fresh, "cpuUs"), middle(fresh, "cpuUs"), 0, "µs"],
    ] as const;
    for (const [what, ours, theirs, goal, unit] of rows)
      report(what, ours, unit, { peer: [name, theirs], ...(goal === 0 ? {} : { goal: `${goal} ×`, ok: ours / theirs >= goal }) });
  }
}

try {
  await main();
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  await rm(folder, { recursive: true, force: true });
}
