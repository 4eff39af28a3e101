import assert from "node:assert/strict";
import { test } from "node:test";
import { createOutgoing } from "#host/outgoing.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Tell } from "#model/ladder.ts";
import type { SpaceName } from "#model/names.ts";
import type { NewEvent } from "../events/event-log.ts";
import { ladderObjects } from "../objects/ladder-objects.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import { silentLog } from "../store/testing/temporary-store.ts";
import { createAcknowledgements } from "./acknowledgements.ts";
import { deliveriesFor } from "./deliveries.ts";
import { takeLead } from "./leadership.ts";
import { Teller } from "./teller.ts";

const space = "default" as SpaceName;
const by = (run: string): Tell => ({ kind: "command", run });

/** A teller on a virtual clock whose commands answer as `runs` says: a problem, null, or never. */
async function startTeller(runs: (run: string, text: string) => string | null | Promise<never>) {
  const clock = new VirtualClock(0);
  const store = openMemoryStore({ random: Math.random });
  const stop = new AbortController();
  const told: NewEvent[] = [];
  const events = {
    append: (event: NewEvent) => {
      told.push(event);
      return { sequence: 0, atMs: 0, space: null, app: null, subject: null, details: null, by: null, ...event };
    },
    query: () => [],
    follow: async function* () {},
    oldestAtMs: () => null,
    close: async () => {},
  };
  const lead = await takeLead(store);
  const teller = new Teller(
    {
      store,
      lead,
      events,
      resolve: createOutgoing([]),
      acknowledgements: createAcknowledgements(store, () => "http://api", clock.nowMs.bind(clock)),
      keyOf: () => null,
      secretOf: () => null,
      runCommand: async (_space, _id, run, env) => runs(run, env["DROVER_TEXT"] ?? ""),
      clock,
      steadyNowMs: () => clock.nowMs(),
      log: silentLog,
    },
    stop.signal,
  );
  return {
    told,
    deliveries: () => ladderObjects.deliveries(store, space).map(({ value }) => value),
    tell: async (tells: readonly Tell[], ...texts: readonly string[]) => {
      for (const text of texts)
        await store.commit({ changes: deliveriesFor(store, space, tells, { key: text, sinceMs: clock.nowMs(), text }) });
    },
    pass: async (ms: number) => {
      const untilMs = clock.nowMs() + ms;
      for (;;) {
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        const nextMs = clock.untilNextMs();
        if (nextMs === null || clock.nowMs() + nextMs > untilMs) break;
        await clock.advance(nextMs);
      }
      await clock.advance(untilMs - clock.nowMs());
    },
    end: async () => {
      stop.abort(new Error("the test is over"));
      await teller.stopped();
      await store.close();
    },
  };
}

test("who cannot be told is tried eight times within a day, and then shown as not told", async () => {
  let tries = 0;
  const teller = await startTeller(() => {
    tries++;
    return "no answer";
  });
  await teller.tell([by("phone")], "m1 is gone");
  await teller.pass(24 * 3_600_000);
  assert.equal(tries, 8);
  assert.deepEqual(
    teller.deliveries().map(({ isDead, lastError, tries: tried }) => ({ isDead, lastError, tried })),
    [{ isDead: true, lastError: "no answer", tried: 8 }],
  );
  assert.equal(teller.told.filter(({ kind }) => kind === "tell.dead").length, 1);
  await teller.pass(48 * 3_600_000);
  assert.equal(tries, 8, "it is left at that");
  await teller.end();
});

test("a storm becomes one summary, and a target that hangs keeps no other waiting", async () => {
  const heard: string[] = [];
  const teller = await startTeller((run, text) => {
    if (run === "hangs") return new Promise<never>(() => {});
    heard.push(text);
    return null;
  });
  await teller.tell([by("hangs"), by("chat")], ...Array.from({ length: 30 }, (_, i) => `m${i} is gone`));
  await teller.pass(5_000);
  assert.equal(heard.length, 1);
  assert.match(heard[0] ?? "", /^\[default\] 30 notices:\n- m\d+ is gone\n/);
  assert.match(heard[0] ?? "", /- and 20 more$/);
  await teller.tell([by("chat")], "m30 is gone");
  await teller.pass(20_000);
  assert.equal(heard[1], "[default] m30 is gone");
});
