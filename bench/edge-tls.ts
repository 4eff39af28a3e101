/**
 * Requests and new connections per second of the edge over TLS, beside HAProxy and Caddy: ECDSA P-256, HTTP/1.1, a small answer, 64 connections.
 * The proxy has core 0, the client and the app behind it core 1. Absent peers are skipped.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { keyPem, makeCertificate, newKey } from "../src/host/x509/make-certificate.ts";
import { listening, skip } from "./lib.ts";
import { startPeer } from "./proxies/peers.ts";
import { type Figures, medianOf, type Place, ProxyBench, reportBeside } from "./proxies/proxy-bench.ts";

/** What wrk asks for in its handshakes, and everybody resolves. */
const host = "localhost";
const rounds = 3;
/** At least so much of what a peer does. */
const goals: Readonly<Record<string, { readonly kept: number; readonly fresh?: number }>> = {
  HAProxy: { kept: 0.8 },
  Caddy: { kept: 2.2, fresh: 0.7 },
};

await using bench = await ProxyBench.open("requests over TLS");
if (bench !== null) await measure(bench);

interface Proxy extends Place {
  readonly kept: Figures[];
  readonly fresh: Figures[];
}

async function startAll(bench: ProxyBench): Promise<readonly Proxy[]> {
  const key = await newKey();
  const life = { notBeforeMs: Date.now() - 86_400_000, notAfterMs: Date.now() + 86_400_000 };
  const chain = makeCertificate({ name: host, key, ...life, use: { kind: "server", hosts: [host] } });
  const pemFile = join(bench.folder, "both.pem");
  await writeFile(pemFile, chain + keyPem(key));
  const own = { id: "own/bench", hosts: [host], chain, key: keyPem(key), isTrusted: false };
  const [appPort = 0, httpPort = 0, port = 0, haproxyPort = 0, caddyPort = 0] = await freePorts(5);
  await bench.startApp(appPort);
  const certificates = { set: [own], remove: [] };
  const pid = await bench.startEdge({ host, httpPort, appPort, certificates, more: ["--https", `127.0.0.1:${port}`] });
  await listening(port);
  const running: Proxy[] = [{ name: "drover edge", pid, port, kept: [], fresh: [] }];
  for (const [name, program, port] of [
    ["HAProxy", "haproxy", haproxyPort],
    ["Caddy", "caddy", caddyPort],
  ] as const) {
    if (programOnPath(program) === null) {
      skip(`${name}, as a peer`, "not installed");
      continue;
    }
    const pid = await startPeer[program](bench, { host, port, appPort, pemFile });
    await listening(port);
    running.push({ name, pid, port, kept: [], fresh: [] });
  }
  return running;
}

async function measure(bench: ProxyBench): Promise<void> {
  const running = await startAll(bench);
  // In turns, so that whatever else the machine does hits all of them alike.
  for (let round = 0; round < rounds; round++)
    for (const { pid, port, kept, fresh } of running) {
      const one = { pids: [pid], url: `https://${host}:${port}/`, seconds: 3 };
      kept.push(await bench.load(one));
      fresh.push(await bench.load({ ...one, more: ["-H", "Connection: close"] }));
    }
  const [edge, ...peers] = running;
  if (edge === undefined) return;
  const rows = [
    ["over TLS, keep-alive, one core", "kept", "rps", "req/s"],
    ["new TLS connections, one core", "fresh", "rps", "conn/s"],
    ["over TLS, keep-alive: CPU time of a request", "kept", "cpuUs", "µs"],
    ["new TLS connections: CPU time of one", "fresh", "cpuUs", "µs"],
  ] as const;
  for (const [what, kind, key, unit] of rows) {
    const ours = medianOf(edge[kind], key);
    if (peers.length === 0) reportBeside(what, ours, unit);
    for (const peer of peers) {
      const least = key === "rps" ? goals[peer.name]?.[kind] : undefined;
      reportBeside(what, ours, unit, [peer.name, medianOf(peer[kind], key)], least);
    }
  }
}
