import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { CheckId } from "#model/names.ts";
import { OrderedChecks } from "./ordered-checks.ts";

test("a report says how old it is when it is sent, the time that nobody fetched it among that", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const runCommand = async () => {
    await clock.sleep(2_000, stop.signal);
    return { exitCode: 0, output: "" };
  };
  const checks = new OrderedChecks({ probe: "m1", allowOutgoing: [], runCommand, clock, random: () => 0 }, stop.signal);
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

async function* first<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const one of all) {
    yield one;
    return;
  }
}
