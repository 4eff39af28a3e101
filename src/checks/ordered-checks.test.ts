import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { CheckOrder } from "#model/check-orders.ts";
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
  const { port, asked } = await openEdge(t);
  const report = await smokeOf({ ownPort: port, urlPort: 1, edge: { address: "127.0.0.1", family: 4 } });
  assert.ok(report?.kind === "result" && report.result.isOk, JSON.stringify(report));
  assert.deepEqual(asked, [`shop.default.localhost:${port}`]);
});

test("where the own edge takes nothing from outside, the one that the order names is called in its place", async (t) => {
  const { port, asked } = await openEdge(t);
  const report = await smokeOf({ ownPort: 1, urlPort: port, edge: { address: "127.0.0.1", family: 4, isOther: true } });
  assert.ok(report?.kind === "result" && report.result.isOk, JSON.stringify(report));
  assert.deepEqual(asked, [`shop.default.localhost:${port}`]);
});

/** Answers everything, and notes the hosts that it was asked for. */
async function openEdge(t: TestContext) {
  const asked: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    asked.push(request.headers.host);
    response.end("hello");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, asked };
}

/** What a check of a routed host finds first. */
async function smokeOf(at: { readonly ownPort: number; readonly urlPort: number; readonly edge: CheckOrder["edge"] }) {
  const stop = new AbortController();
  const checks = new OrderedChecks(
    {
      ...{ probe: "m1", allowOutgoing: [], runCommand: null, clock: systemClock, random: () => 0 },
      edge: { http: { host: "0.0.0.0", port: at.ownPort }, https: nowhere },
    },
    stop.signal,
  );
  const url = `http://shop.default.localhost:${at.urlPort}/`;
  const expect = { status: [], body: null, headers: {}, json: {}, tlsLeftMs: null };
  const made = { kind: "http", url, method: "GET", headers: {}, body: null, expect } as const;
  const check = { id: "smoke@app/shop" as CheckId, test: made, target: "shop", address: null, everyMs: 60_000, timeoutMs: 5_000 };
  checks.set({ checks: [check], edge: at.edge, edgeHosts: ["shop.default.localhost"] });
  const [report] = await Array.fromAsync(first(checks.reports(stop.signal)));
  stop.abort();
  return report;
}

async function* first<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const one of all) {
    yield one;
    return;
  }
}
