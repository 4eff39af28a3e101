import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { CheckId } from "#model/names.ts";
import { OrderedChecks } from "./ordered-checks.ts";

const nowhere = { host: "127.0.0.1", port: 1 };
const edge = { http: nowhere, https: nowhere };

test("a report says how old it is when it is sent, the time that nobody fetched it among that", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const runCommand = async () => {
    await clock.sleep(2_000, stop.signal);
    return { exitCode: 0, output: "" };
  };
  const checks = new OrderedChecks({ probe: "m1", allowOutgoing: [], edge, runCommand, clock, random: () => 0 }, stop.signal);
  const id = "slow@space" as CheckId;
  const made = { kind: "command", run: "true", env: {}, output: "exit" } as const;
  checks.set({
    checks: [{ id, test: made, target: "space", address: null, everyMs: 60_000, timeoutMs: 5_000 }],
    edge: null,
    edgeHosts: [],
  });
  await clock.advance(10_000);
  const [report] = await Array.fromAsync(first(checks.reports(stop.signal)));
  assert.ok(report?.kind === "result");
  assert.equal(report.result.check, id);
  // It began within a tick of the schedule.
  assert.ok((report.ageMs ?? 0) >= 9_900, `${report.ageMs} ms`);
  stop.abort();
});

test("a host that Drover routes is called at the edge of the own machine, whatever the port of the server's edge", async (t) => {
  const asked: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    asked.push(request.headers.host);
    response.end("hello");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const stop = new AbortController();
  const checks = new OrderedChecks(
    {
      ...{ probe: "m1", allowOutgoing: [], runCommand: null, clock: systemClock, random: () => 0 },
      edge: { http: { host: "0.0.0.0", port }, https: nowhere },
    },
    stop.signal,
  );
  const made = { kind: "http", url: "http://shop.default.localhost:1/", method: "GET", headers: {}, body: null } as const;
  const expect = { status: [], body: null, headers: {}, json: {}, tlsLeftMs: null };
  checks.set({
    checks: [
      { id: "smoke@app/shop" as CheckId, test: { ...made, expect }, target: "shop", address: null, everyMs: 60_000, timeoutMs: 5_000 },
    ],
    edge: { address: "127.0.0.1", family: 4 },
    edgeHosts: ["shop.default.localhost"],
  });
  const [report] = await Array.fromAsync(first(checks.reports(stop.signal)));
  assert.ok(report?.kind === "result" && report.result.isOk, JSON.stringify(report));
  assert.deepEqual(asked, [`shop.default.localhost:${port}`]);
  stop.abort();
});

async function* first<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const one of all) {
    yield one;
    return;
  }
}
