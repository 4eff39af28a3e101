import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Escalation, StepRecord } from "#model/ladder.ts";
import type { EscalationId, SpaceName, StepId } from "#model/names.ts";
import { ladderKeys, ladderObjects } from "../objects/ladder-objects.ts";
import { put } from "../objects/objects.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { silentLog } from "../store/testing/temporary-store.ts";
import { takeLead } from "./leadership.ts";
import { type ActionEnd, StepExecutor } from "./step-executor.ts";

const space = "default" as SpaceName;

/** One store as two servers see it that both believe they lead: the second opened it later. */
function split(): { readonly store: Store; readonly older: Store; readonly newer: Store } {
  const store = openMemoryStore({ random: Math.random });
  const of = (term: number): Store => new Proxy(store, { get: (own, key) => (key === "term" ? term : Reflect.get(own, key)) });
  return { store, older: of(1), newer: of(2) };
}

test("of two servers that both believe they lead, only what the later one decides is written", async () => {
  const { store, older, newer } = split();
  const first = await takeLead(older);
  assert.ok(first.holds());
  const second = await takeLead(newer);
  assert.deepEqual([first.holds(), second.holds()], [false, true]);
  const decides = (lead: typeof first, isDryRun: boolean) =>
    store.commit({
      conditions: [lead.condition],
      changes: [put(ladderKeys.switches(space), { isDryRun, massAcknowledgedAtMs: null })],
    });
  await assert.rejects(decides(first, true), { code: "CONFLICT" });
  await decides(second, false);
  await assert.rejects(takeLead(older), { code: "CONFLICT", message: /a server of term 2 runs escalations/ });
  await store.close();
});

test("what a server did that another followed meanwhile is not written", async () => {
  const { store, older, newer } = split();
  const lead = await takeLead(older);
  const order = { id: "s" as StepId, escalation: "space@1" as EscalationId, level: "a", target: "space", attempt: 1 } as const;
  const action = { kind: "command", run: "x", env: {} } as const;
  const step: StepRecord = { ...order, action, startedAtMs: 0, term: 1, interruptions: 0, isKilled: false, ended: null, verdict: null };
  const run = { id: order.escalation, target: "space", steps: [step] } as unknown as Escalation;
  const key = ladderKeys.escalation(space, order.escalation);
  await store.commit({ conditions: [lead.condition], changes: [put(key, run)] });
  const acted = Promise.withResolvers<ActionEnd>();
  const stop = new AbortController();
  const steps = new StepExecutor(
    { store, lead, run: () => acted.promise, forget: async () => {}, clock: new VirtualClock(0), steadyNowMs: () => 0, log: silentLog },
    stop.signal,
  );
  steps.start(space, { ...order, action, term: 1, timeoutMs: 1_000 });
  // The later server finds the step, and does it under its own term.
  const next = await takeLead(newer);
  const taken = { ...run, steps: [{ ...step, term: 2 }] };
  await store.commit({ conditions: [next.condition], changes: [put(key, taken)] });
  acted.resolve({ result: "ok", exitCode: 0, output: "" });
  await steps.stopped();
  assert.deepEqual(ladderObjects.escalation(store, space, order.escalation)?.value, taken);
  assert.equal(lead.holds(), false);
  await store.close();
});

test("the same server takes its own lead again without losing it", async () => {
  const { store, newer } = split();
  const first = await takeLead(newer);
  const again = await takeLead(newer);
  assert.ok(first.holds() && again.holds());
  await store.close();
});
