import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { MachineId } from "#model/names.ts";
import type { EdgePeer, PortProblem } from "../fleet/peers.ts";
import { silentLog } from "../store/testing/temporary-store.ts";
import { EdgeNews } from "./edge-news.ts";

const crashing: PortProblem = {
  route: "WORKERS",
  port: null,
  code: "WORKERS_CRASHING",
  message: "1 of 2 workers of the edge die again and again",
};

test("what goes wrong at an edge, such as workers that die again and again, is told once, and when it is over", async (t) => {
  const clock = new VirtualClock();
  const told: string[] = [];
  const events = { append: ({ kind, message }: { kind: string; message: string }) => told.push(`${kind}: ${message}`) } as never;
  const news = new EdgeNews({ events, clock, log: silentLog });
  let problems: readonly PortProblem[] = [];
  const link = () => {
    const gone = new AbortController();
    const peer = { machine: "m1" as MachineId, isLeaving: false, gone: gone.signal, problems: async () => problems } as unknown as EdgePeer;
    news.follow(peer, t.signal);
    return gone;
  };

  const first = link();
  await clock.advance(30_000);
  assert.deepEqual(told, []);
  problems = [crashing];
  await clock.advance(30_000);
  const begun = "edge.problem: 1 of 2 workers of the edge die again and again on m1";
  assert.deepEqual(told, [begun]);
  // Another count of the same thing is no news, nor is it from another edge of the machine.
  problems = [{ ...crashing, message: "2 of 2 workers of the edge die again and again" }];
  first.abort();
  await news.stopped();
  const second = link();
  await clock.advance(30_000);
  assert.deepEqual(told, [begun]);
  problems = [];
  await clock.advance(10_000);
  assert.deepEqual(told, [begun, "edge.recovered: over: 2 of 2 workers of the edge die again and again on m1"]);
  second.abort();
  await news.stopped();
});
