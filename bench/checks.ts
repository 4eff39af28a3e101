// Ten thousand checks at ten seconds from one program: what part of a core they cost. A third each http, tcp and dns, all of them well.
import { fork } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "#host/clock.ts";
import { createOutgoing } from "#host/outgoing.ts";
import type { ProbedTest } from "#model/check-orders.ts";
import type { CheckId } from "#model/names.ts";
import { CheckSchedule } from "../src/checks/schedule.ts";
import { report } from "./lib.ts";

const count = 10_000;
const everyMs = 10_000;
const measuredMs = 10_000;

if (process.argv[2] === "serve") await serve();
else await measure();

/** What is checked, in a process of its own, so that its cost is not counted. */
async function serve(): Promise<void> {
  const server = http.createServer((_, response) => response.end("ok")).listen(0, "127.0.0.1");
  const dns = dgram.createSocket("udp4");
  dns.on("message", (query, from) => {
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 7]);
    dns.send(Buffer.concat([head, question, record]), from.port, from.address);
  });
  dns.bind(0, "127.0.0.1");
  await Promise.all([once(server, "listening"), once(dns, "listening")]);
  process.send?.({ http: (server.address() as AddressInfo).port, dns: dns.address().port });
}

async function measure(): Promise<void> {
  const child = fork(import.meta.filename, ["serve"]);
  const [ports] = (await once(child, "message")) as [{ http: number; dns: number }];
  const stop = new AbortController();
  let results = 0;
  let failures = 0;
  const schedule = new CheckSchedule(
    {
      probe: "bench",
      resolve: createOutgoing(["127.0.0.0/8"]),
      runCommand: null,
      countLogs: null,
      clock: systemClock,
      random: Math.random,
      onResult: ({ isOk }) => {
        results++;
        if (!isOk) failures++;
      },
      onImpossible: (check, error) => console.log(`${check} cannot be made: ${error?.message}`),
    },
    stop.signal,
  );
  const tests: readonly ProbedTest[] = [
    {
      kind: "http",
      url: `http://127.0.0.1:${ports.http}/`,
      method: "GET",
      headers: {},
      body: null,
      expect: { status: [200], body: null, headers: {}, json: {}, tlsLeftMs: null },
    },
    { kind: "tcp", host: "127.0.0.1", ports: [ports.http] },
    { kind: "dns", name: "shop.example", type: "A", answers: ["192.0.2.7"], server: `127.0.0.1:${ports.dns}` },
  ];
  schedule.set(
    Array.from({ length: count }, (_, i) => ({
      id: `check-${i}@space` as CheckId,
      test: tests[i % tests.length] as ProbedTest,
      target: "",
      address: null,
      everyMs,
      timeoutMs: 5_000,
    })),
  );
  // The first round comes at once; what is measured is the steady state after it.
  await delay(everyMs);
  const [before, startedAt] = [process.cpuUsage(), performance.now()];
  results = 0;
  await delay(measuredMs);
  const { user, system } = process.cpuUsage(before);
  const share = (user + system) / 1_000 / (performance.now() - startedAt);
  stop.abort();
  await schedule.stopped();
  child.kill();
  report(
    `${count} checks every ${everyMs / 1_000} s (${Math.round(results / (measuredMs / 1_000))} made a second), share of a core`,
    share * 100,
    "%",
    {
      goal: "< 50 %",
      ok: share < 0.5 && failures === 0,
    },
  );
  if (failures > 0) console.log(`${failures} attempts failed, so the figure is of no use`);
  process.exit();
}
