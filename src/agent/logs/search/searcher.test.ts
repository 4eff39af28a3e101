import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { byChecks } from "#model/log-event.ts";
import type { MachineId } from "#model/names.ts";
import { Searcher } from "./searcher.ts";

const never = new AbortController().signal;
const search = { of: [""], except: [], query: "", sinceMs: null, untilMs: null, before: null, limit: 10 };
const job = { machine: "m1" as MachineId, by: "ann", segments: [], ask: { kind: "search" as const, search } };
const found = { events: [], hasMore: false, searchedToMs: null, damaged: [] };

test("the rest of the thread after one question does not end it amid a later one, also where one between gave up before its turn", async () => {
  const clock = new VirtualClock();
  const searcher = new Searcher(clock);
  assert.deepEqual(await searcher.answer(job, never), found);
  await assert.rejects(searcher.answer(job, AbortSignal.abort(new Error("gave up"))), /gave up/);
  await turn();
  const asked = searcher.answer(job, never);
  // It is with the thread after these, and its answer takes a turn of the event loop at least.
  for (let steps = 0; steps < 10; steps++) await Promise.resolve();
  const passed = clock.advance(60_000);
  assert.deepEqual(await asked, found);
  await passed;
  await searcher.close();
});

test("checks are answered before people, and callers in turn, however much one of them asks for", async () => {
  const searcher = new Searcher(new VirtualClock());
  const answered: string[] = [];
  const ask = (by: string) => searcher.answer({ ...job, by }, never).then(() => answered.push(by));
  await Promise.all(["ann", "ann", "ann", "bob", byChecks].map(ask));
  assert.deepEqual(answered, ["ann", byChecks, "bob", "ann", "ann"]);
  const many = Array.from({ length: 40 }, () => ask("ann"));
  await assert.rejects(Promise.all(many), { code: "OVERLOADED" });
  await ask("bob");
  await ask(byChecks);
  await Promise.allSettled(many);
  await searcher.close();
});
