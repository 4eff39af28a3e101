import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpaceName } from "#model/names.ts";
import { ladderKeys } from "../objects/ladder-objects.ts";
import { put } from "../objects/objects.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { takeLead } from "./leadership.ts";

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
      changes: [put(ladderKeys.switches("default" as SpaceName), { isDryRun, massAcknowledgedAtMs: null })],
    });
  await assert.rejects(decides(first, true), { code: "CONFLICT" });
  await decides(second, false);
  await assert.rejects(takeLead(older), { code: "CONFLICT", message: /a server of term 2 runs escalations/ });
  await store.close();
});

test("the same server takes its own lead again without losing it", async () => {
  const { store, newer } = split();
  const first = await takeLead(newer);
  const again = await takeLead(newer);
  assert.ok(first.holds() && again.holds());
  await store.close();
});
