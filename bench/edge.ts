/**
 * Requests per second of the edge beside HAProxy, nginx and Caddy: keep-alive, 64 connections, a small and a 64 KiB answer; and the time that each
 * adds to a request at half of Caddy's load. The proxy has core 0, the client and the app behind it core 1. Absent peers are skipped.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { listening, report, skip } from "./lib.ts";
import { startPeer } from "./proxies/peers.ts";
import { type Figures, medianOf, type Place, ProxyBench, reportBeside } from "./proxies/proxy-bench.ts";

const host = "bench.test";
const seconds = 4;
const rounds = 3;
const driven = "drover edge, router HAProxy";
const alike = "HAProxy alike";

interface Proxy extends Place {
  readonly small: Figures[];
  readonly big: Figures[];
}

/** The answers that are asked for. `goals`: at least so much of what a peer does; `drivenGoal`: of HAProxy by hand, with HAProxy as the router; one that does as little as can be, and one that does the same. */
const answers: readonly {
  readonly what: string;
  readonly kind: "small" | "big";
  readonly path: string;
  readonly goals: Readonly<Record<string, number>>;
  readonly drivenGoal?: number;
}[] = [
  { what: "small answers, one core", kind: "small", path: "/", goals: { HAProxy: 0.8, Caddy: 2.6 }, drivenGoal: 0.95 },
  { what: "64 KiB answers, one core", kind: "big", path: "/big", goals: { Caddy: 1.4 } },
];

await using bench = await ProxyBench.open("requests through the edge");
if (bench !== null) await measure(bench);

async function measure(bench: ProxyBench): Promise<void> {
  const app = await bench.startApp(await freePort());
  const running = await startAll(bench, app.port);
  // In turns, so that whatever else the machine does hits all of them alike.
  for (let round = 0; round < rounds; round++)
    for (const proxy of running)
      for (const { kind, path } of answers)
        proxy[kind].push(
          await bench.load({ pids: [proxy.pid], url: `http://127.0.0.1:${proxy.port}${path}`, seconds, more: ["-H", `Host: ${host}`] }),
        );
  reportAnswers(running);
  const caddy = running.find(({ name }) => name === "Caddy");
  if (caddy !== undefined) await reportAddedWaits(bench, app, running, medianOf(caddy.small, "rps"));
}

async function startAll(bench: ProxyBench, appPort: number): Promise<readonly Proxy[]> {
  const edge = (httpPort: number, more: readonly string[] = []) => bench.startEdge({ host, httpPort, appPort, more });
  const peer = (program: keyof typeof startPeer) => (port: number) => startPeer[program](bench, { host, port, appPort });
  const running: Proxy[] = [];
  for (const { name, program, start } of [
    { name: "drover edge", program: null, start: (port: number) => edge(port) },
    { name: driven, program: "haproxy", start: (port: number) => edge(port, ["--router", "haproxy"]) },
    { name: "HAProxy", program: "haproxy", start: peer("haproxy") },
    { name: alike, program: "haproxy", start: peer("haproxyAlike") },
    { name: "nginx", program: "nginx", start: peer("nginx") },
    { name: "Caddy", program: "caddy", start: peer("caddy") },
  ]) {
    if (program !== null && programOnPath(program) === null) {
      skip(`${name}, as a peer`, "not installed");
      continue;
    }
    const port = await freePort();
    const pid = await start(port);
    await listening(port);
    // Once before it is measured, so that each is warm.
    await bench.load({ pids: [pid], url: `http://127.0.0.1:${port}/`, seconds: 1, more: ["-H", `Host: ${host}`] });
    running.push({ name, pid, port, small: [], big: [] });
  }
  return running;
}

function reportAnswers([edge, ...peers]: readonly Proxy[]): void {
  if (edge === undefined) return;
  const haproxy = peers.find(({ name }) => name === "HAProxy");
  const router = peers.find(({ name }) => name === driven);
  for (const { what, kind, goals, drivenGoal } of answers) {
    const row = (proxy: Proxy, peer: Proxy | undefined, key: keyof Figures, label: string, unit: string, least?: number) =>
      reportBeside(label, medianOf(proxy[kind], key), unit, peer && [peer.name, medianOf(peer[kind], key)], least);
    row(edge, haproxy, "cpuUs", `${what}: CPU time of a request`, "µs");
    row(edge, undefined, "p99Ms", `${what}: p99`, "ms");
    for (const byHand of [haproxy, peers.find(({ name }) => name === alike)]) {
      if (router === undefined) continue;
      row(router, byHand, "rps", `${what}, router HAProxy`, "req/s", drivenGoal);
      row(router, byHand, "cpuUs", `${what}, router HAProxy: CPU time of a request`, "µs");
    }
    if (peers.length === 0) row(edge, undefined, "rps", what, "req/s");
    for (const peer of peers) row(edge, peer, "rps", what, "req/s", goals[peer.name]);
  }
}

/** What each adds to the waits of requests that come at half the rate that Caddy can carry, beside the app without a proxy. */
async function reportAddedWaits(bench: ProxyBench, app: Place, proxies: readonly Proxy[], caddyRps: number): Promise<void> {
  const pace = join(bench.folder, "pace.lua");
  const pauseMs = (ProxyBench.connections / (caddyRps / 2)) * 1_000;
  await writeFile(pace, `function delay() return math.random(0, ${Math.round(2 * pauseMs)}) end\n`);
  const places = [app, ...proxies];
  const waits = new Map<string, Figures[]>(places.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const { name, pid, port } of places) {
      const paced = { pids: [pid], url: `http://127.0.0.1:${port}/`, seconds, more: ["-H", `Host: ${host}`, "-s", pace] };
      waits.get(name)?.push(await bench.load(paced));
    }
  const [edge, ...peers] = proxies;
  if (edge === undefined) return;
  for (const key of ["p50Ms", "p99Ms"] as const) {
    const added = ({ name }: Place) => medianOf(waits.get(name) ?? [], key) - medianOf(waits.get(app.name) ?? [], key);
    for (const peer of peers) {
      const goal = peer.name === "Caddy" ? { goal: "less", ok: added(edge) < added(peer) } : {};
      report(`added wait at half load, ${key.slice(0, 3)}`, added(edge), "ms", { peer: [peer.name, added(peer)], ...goal });
    }
  }
}
