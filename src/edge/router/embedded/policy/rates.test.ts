import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RouteLimits } from "#model/routing-table.ts";
import { RouteGate } from "./gate.ts";
import { Bucket, ClientBuckets, clientKey } from "./rates.ts";

test("a bucket gives its burst at once, then one for each part of its time, and says how long the next one takes", () => {
  const bucket = new Bucket({ requests: 10, perMs: 1_000, burst: 3 });
  assert.deepEqual(
    [0, 0, 0, 0].map((nowMs) => bucket.take(nowMs)),
    [0, 0, 0, 100],
  );
  assert.equal(bucket.take(40), 60);
  assert.equal(bucket.take(100), 0);
  assert.equal(bucket.take(100), 100);
  assert.deepEqual(
    [10_000, 10_000, 10_000, 10_000].map((nowMs) => bucket.take(nowMs)),
    [0, 0, 0, 100],
  );
});

test("of several routers that share a route each lets its part through, and together they let through the rate", () => {
  const request = { host: { name: "a.test", port: null }, path: "/", target: "/", contentLength: 0, headBytes: 0, client: "192.0.2.1" };
  const passed = (routers: number, limits: RouteLimits) => {
    const gates = Array.from({ length: routers }, () => RouteGate.of({ limits }, routers));
    let count = 0;
    // In turns, for ten seconds after the burst.
    for (let i = 0; i < 4_000; i++) if (gates[i % routers]?.check(request as never, i * 2.5) === null) count++;
    return count;
  };
  const rate = { requests: 20, perMs: 1_000, burst: 8 };
  assert.equal(passed(1, { rate }), 207);
  assert.ok(Math.abs(passed(4, { rate }) - 207) <= 4, String(passed(4, { rate })));
  // Nobody knows which router a client will meet, so that each holds the whole for it.
  assert.equal(passed(4, { ratePerClient: rate }), 4 * 207);
});

test("in no time does a bucket give more than its burst and what filled it meanwhile", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), (waits, requests, burst) => {
      const bucket = new Bucket({ requests, perMs: 1_000, burst });
      const given: number[] = [];
      let nowMs = 0;
      for (const wait of waits) {
        nowMs += wait;
        if (bucket.take(nowMs) === 0) given.push(nowMs);
      }
      for (const [first, from] of given.entries())
        for (let last = first; last < given.length; last++)
          assert.ok(last - first + 1 <= burst + ((given[last] ?? 0) - from) * (requests / 1_000) + 1e-6);
    }),
  );
});

test("each client has a bucket of its own, and a flood of clients costs no more memory than the bound", () => {
  const buckets = new ClientBuckets({ requests: 1, perMs: 60_000, burst: 1 }, 100);
  assert.equal(buckets.take("10.0.0.1", 0), 0);
  assert.ok(buckets.take("10.0.0.1", 1) > 0);
  assert.equal(buckets.take("10.0.0.2", 1), 0);
  for (let i = 0; i < 10_000; i++) buckets.take(`10.1.${i >> 8}.${i & 255}`, 2);
  assert.ok(buckets.size <= 100);
  buckets.take("10.2.0.0", 200_000);
  for (let i = 0; i < 200; i++) buckets.take("10.2.0.0", 200_000 + i);
  for (let i = 0; i < 99; i++) buckets.take(`10.3.0.${i}`, 300_000);
  assert.ok(buckets.size <= 100);
});

test("an IPv6 client is its /64 however it is written, an IPv4 client its address", () => {
  for (const [a, b] of [
    ["2001:db8::1", "2001:0DB8:0:0:ffff::2"],
    ["::1", "0:0:0:0:1::"],
    ["fe80::1%eth0", "fe80:0:0:0:9:9:9:9"],
    ["::ffff:1.2.3.4", "::1"],
  ] as const)
    assert.equal(clientKey(a), clientKey(b), `${a} ${b}`);
  assert.notEqual(clientKey("2001:db8:0:1::1"), clientKey("2001:db8::1"));
  assert.notEqual(clientKey("1.2.3.4"), clientKey("1.2.3.5"));
});
