/**
 * What `--encrypt` costs: requests per second, their latency and the CPU time of one, from an edge to an instance on another machine, encrypted and plainly
 * in one run. All edges have one worker on core 0, the client and the app core 1, so the two machines of the encrypted way share what one has otherwise.
 */
import { freePorts } from "#host/testing/free-ports.ts";
import { keyPem, makeCertificate, newKey } from "../src/host/x509/make-certificate.ts";
import { listening, report } from "./lib.ts";
import { type Figures, medianOf, ProxyBench } from "./proxies/proxy-bench.ts";

const rounds = 3;
const names = ["m1.bench.machine.drover", "m2.bench.machine.drover"] as const;
/** Among those of instances, which are all that an entry leads to. */
const appPort = 29_000 + (process.pid % 900);

const issuer = { name: "bench", key: await newKey() };
const life = { notBeforeMs: Date.now() - 86_400_000, notAfterMs: Date.now() + 86_400_000 };
const authority = makeCertificate({ ...issuer, ...life, use: { kind: "authority" } });

/** @param own where its own entry listens @param entry the port at which the instance is reached over TLS; null: plainly */
async function startEdge(bench: ProxyBench, number: 0 | 1, httpPort: number, own: number, entry: number | null): Promise<number> {
  const key = await newKey();
  const chain = makeCertificate({ name: "bench", key, issuer, ...life, use: { kind: "machine", host: names[number] } });
  const identity = { name: names[number], chain, key: keyPem(key), authority, entry: { host: "127.0.0.1", port: own }, members: names };
  const pid = await bench.startEdge({
    host: "*",
    httpPort,
    appPort,
    certificates: { set: [], remove: [], identity },
    more: ["--https", "127.0.0.1:0"],
    ...(entry === null ? {} : { entry: { name: names[1], port: entry } }),
  });
  await listening(httpPort);
  return pid;
}

await using bench = await ProxyBench.open("encrypted traffic between machines");
if (bench !== null) await measure(bench);

async function measure(bench: ProxyBench): Promise<void> {
  await bench.startApp(appPort);
  const [plainPort = 0, senderPort = 0, receiverPort = 0, entry = 0, ...unused] = await freePorts(6);
  const [one = 0, two = 0] = unused;
  const plain = await startEdge(bench, 0, plainPort, one, null);
  const receiver = await startEdge(bench, 1, receiverPort, entry, null);
  await listening(entry);
  const sender = await startEdge(bench, 0, senderPort, two, entry);
  const load = (pids: readonly number[], port: number) => bench.load({ pids, url: `http://127.0.0.1:${port}/`, seconds: 2 });
  const figures = { plain: [] as Figures[], encrypted: [] as Figures[] };
  // In turns, so that whatever else the machine does hits both alike.
  for (let round = 0; round < rounds; round++) {
    figures.plain.push(await load([plain], plainPort));
    figures.encrypted.push(await load([sender, receiver], senderPort));
  }
  const row = (what: string, key: keyof Figures, unit: string) =>
    report(what, medianOf(figures.encrypted, key), unit, { peer: ["plain", medianOf(figures.plain, key)] });
  row("encrypted, keep-alive, both machines on one core", "rps", "req/s");
  row(`encrypted: half of ${ProxyBench.connections} clients at once wait less than`, "p50Ms", "ms");
  row("encrypted: CPU time of a request, both machines", "cpuUs", "µs");
}
