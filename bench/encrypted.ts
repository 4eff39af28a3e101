/**
 * What `--encrypt` costs: requests per second, their latency and the CPU time of one, from an edge to an instance on another machine, encrypted and plainly
 * in one run. All edges have one worker on core 0, the client and the app core 1, so the two machines of the encrypted way share what one has otherwise.
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
import { listening, median, programOnPath, report, skip } from "./lib.ts";

const run = promisify(execFile);
const taskset = programOnPath("taskset") ?? "";
const seconds = 2;
const rounds = 3;
const connections = 64;
const names = ["m1.bench.machine.drover", "m2.bench.machine.drover"] as const;
const folder = await mkdtemp(join(tmpdir(), "drover-bench-encrypted-"));
const children: ChildProcess[] = [];

function start(core: number, program: string, args: readonly string[]): number {
  const child = spawn(taskset, ["-c", String(core), program, ...args], { stdio: "ignore" });
  children.push(child);
  return child.pid ?? 0;
}

/** Answers each request head with the same bytes, as cheaply as Node can. */
const app = `
  const small = Buffer.from("HTTP/1.1 200 OK\\r\\ncontent-type: text/plain\\r\\ncontent-length: 16\\r\\n\\r\\nhello from app.\\n");
  require("node:net").createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(small));
  }).listen(Number(process.argv[1]), "127.0.0.1");`;
/** Among those of instances, which are all that an entry leads to. */
const appPort = 29_000 + (process.pid % 900);

const issuer = { name: "bench", key: await newKey() };
const life = { notBeforeMs: Date.now() - 86_400_000, notAfterMs: Date.now() + 86_400_000 };
const authority = makeCertificate({ ...issuer, ...life, use: { kind: "authority" } });

/** An edge as a server that is away has left it. @param entry where the instance is reached over TLS; null: plainly */
async function startEdge(number: 0 | 1, http: number, own: number, entry: number | null): Promise<number> {
  const home = join(folder, `${http}`);
  await mkdir(join(home, "edge"), { recursive: true });
  const way = entry === null ? {} : { entry: { name: names[1], port: entry } };
  const endpoint = { instance: "bench/app/web.1.aaaaa", host: "127.0.0.1", port: appPort, ...way };
  const place = { space: "bench", app: "app", process: "web", listener: { kind: "public", host: "*", path: "/" } };
  const route = { id: "bench", ...place, targets: [{ release: 1, weight: 1, endpoints: [endpoint] }] };
  const key = await newKey();
  const chain = makeCertificate({ name: "bench", key, issuer, ...life, use: { kind: "machine", host: names[number] } });
  const identity = { name: names[number], chain, key: keyPem(key), authority, entry: { host: "127.0.0.1", port: own }, members: names };
  await writeFile(join(home, "edge", "table.json"), JSON.stringify({ epoch: 1, revision: 1, routes: [route] }));
  await writeFile(join(home, "edge", "certificates.json"), JSON.stringify({ set: [], remove: [], identity }));
  const pid = start(0, droverBin, ["edge", "--home", home, "--http", `127.0.0.1:${http}`, "--https", "127.0.0.1:0", "--workers", "1"]);
  await listening(http);
  return pid;
}

/** CPU time of processes and of their living children so far, in microseconds. */
async function cpuUs(pids: readonly number[]): Promise<number> {
  let all = 0;
  for (const pid of pids) {
    const workers = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    for (const one of [pid, ...workers.split(" ").filter(Boolean).map(Number)]) {
      const fields = (await readFile(`/proc/${one}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
      all += (Number(fields[11]) + Number(fields[12])) * 10_000;
    }
  }
  return all;
}

interface Figures {
  readonly rps: number;
  readonly p50Us: number;
  readonly cpuUs: number;
}

async function load(pids: readonly number[], port: number): Promise<Figures> {
  const before = await cpuUs(pids);
  const wrk = ["-c", "1", "wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", `http://127.0.0.1:${port}/`];
  const { stdout } = await run(taskset, wrk);
  if (/Non-2xx/.test(stdout)) throw new Error(`requests failed:\n${stdout}`);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  const [, value, unit] = /50%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const p50Us = Number(value) * (unit === "us" ? 1 : unit === "ms" ? 1_000 : 1_000_000);
  return { rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]), p50Us, cpuUs: ((await cpuUs(pids)) - before) / requests };
}

async function main(): Promise<void> {
  if (programOnPath("wrk") === null || taskset === "") return skip("encrypted traffic between machines", "wrk and taskset are needed");
  start(1, process.execPath, ["-e", app, String(appPort)]);
  await listening(appPort);
  const [plainPort = 0, senderPort = 0, receiverPort = 0, entry = 0, ...unused] = await freePorts(6);
  const [one = 0, two = 0] = unused;
  const plain = await startEdge(0, plainPort, one, null);
  const receiver = await startEdge(1, receiverPort, entry, null);
  await listening(entry);
  const sender = await startEdge(0, senderPort, two, entry);
  const figures = { plain: [] as Figures[], encrypted: [] as Figures[] };
  // In turns, so that whatever else the machine does hits both alike.
  for (let round = 0; round < rounds; round++) {
    figures.plain.push(await load([plain], plainPort));
    figures.encrypted.push(await load([sender, receiver], senderPort));
  }
  const middle = (all: readonly Figures[], key: keyof Figures) => median(all.map((figure) => figure[key]));
  const row = (what: string, key: keyof Figures, unit: string) =>
    report(what, middle(figures.encrypted, key), unit, { peer: ["plain", middle(figures.plain, key)] });
  row("encrypted, keep-alive, both machines on one core", "rps", "req/s");
  row(`encrypted: half of ${connections} clients at once wait less than`, "p50Us", "µs");
  row("encrypted: CPU time of a request, both machines", "cpuUs", "µs");
}

try {
  await main();
} finally {
  for (const child of children) child.kill("SIGTERM");
  await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, "exit")));
  await rm(folder, { recursive: true, force: true });
}
