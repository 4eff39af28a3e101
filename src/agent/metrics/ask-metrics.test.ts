import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { InstanceId } from "#model/names.ts";
import { askMetrics, type KeptMetrics } from "./ask-metrics.ts";

test("an instance is asked as often as it says, and what it told last is told meanwhile; one that failed is asked again", async (t) => {
  let [asked, isBroken] = [0, false];
  const app = http.createServer((_, response) => {
    asked++;
    response.writeHead(isBroken ? 500 : 200).end(`asked_total ${asked}\n`);
  });
  await once(app.listen(0, "127.0.0.1"), "listening");
  t.after(() => app.close());
  const { port } = app.address() as AddressInfo;
  const kept: KeptMetrics = new Map();
  const [seldom, often] = ["a/b/web.1.seldom", "a/b/web.1.often"] as InstanceId[] as [InstanceId, InstanceId];
  let nowMs = 0;
  const running = new Map([
    [seldom, port],
    [often, port],
  ]);
  const ask = async (instance: InstanceId, everyMs?: number) => {
    const question = { instance, path: "/", port: null, ...(everyMs === undefined ? {} : { everyMs }) };
    const places = { portOf: (id: InstanceId) => running.get(id), statsd: { read: async () => null }, kept, monotonicMs: () => nowMs };
    const [answer] = await askMetrics({ questions: [question], statsd: [] }, places, new AbortController().signal);
    return answer?.metrics.map(({ samples, isKept = false }) => [samples[0]?.[2], isKept]);
  };
  assert.deepEqual(await ask(seldom, 60_000), [[1, false]]);
  for (nowMs = 15_000; nowMs <= 45_000; nowMs += 15_000) assert.deepEqual(await ask(seldom, 60_000), [[1, true]]);
  nowMs = 59_600;
  assert.deepEqual(await ask(seldom, 60_000), [[2, false]], "figures are never wanted at the very moment");
  assert.deepEqual([await ask(often), await ask(often)], [[[3, false]], [[4, false]]]);
  isBroken = true;
  nowMs = 120_000;
  assert.deepEqual([await ask(seldom, 60_000), asked], [[], 5]);
  isBroken = false;
  assert.deepEqual(await ask(seldom, 60_000), [[6, false]]);
  running.delete(seldom);
  await ask(often);
  assert.equal(kept.size, 0, "what is gone is forgotten");
});
