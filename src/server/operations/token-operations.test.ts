import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Principal } from "../access/access-rule.ts";
import { keys, objects, put } from "../objects/objects.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import type { OperationContext } from "./context.ts";
import { createToken, revokeToken, sweepTokens } from "./token-operations.ts";

const day = 86_400_000;
const by: Principal = { id: "o", token: "o", name: "owner", role: "owner", spaces: null, expiresAtMs: null, session: null };

function fixture(t: TestContext) {
  const store = openMemoryStore({ random: () => 0.25 });
  t.after(() => store.close());
  const clock = new VirtualClock();
  const context = { store, clock, events: { append: () => undefined } } as unknown as OperationContext;
  const make = (name: string, days = 1) => createToken(context, { name, role: "viewer", expiresInMs: days * day } as never, by);
  return { store, clock, context, make };
}

test("a token that has expired makes way for another of its name, and is forgotten a month later", async (t) => {
  const { store, clock, make } = fixture(t);
  await make("ci");
  await make("other", 3);
  await assert.rejects(make("ci"), { code: "CONFLICT" });
  clock.jump(day);
  const first = objects.token(store, "ci")?.value.id;
  await make("ci");
  assert.notEqual(objects.token(store, "ci")?.value.id, first);
  clock.jump(31 * day);
  await sweepTokens(store, clock.nowMs());
  assert.deepEqual(
    objects.tokens(store).map(({ value }) => value.name),
    ["ci", "other"],
    "to the day",
  );
  clock.jump(1);
  await sweepTokens(store, clock.nowMs());
  assert.deepEqual(
    objects.tokens(store).map(({ value }) => value.name),
    ["other"],
  );
});

test("tokens are bounded, and a revoked one makes room", async (t) => {
  const { store, context, make } = fixture(t);
  const changes = Array.from({ length: 1_000 }, (_, i) => put(keys.token(`t${i}`), { name: `t${i}`, expiresAtMs: 2e12 }));
  await store.commit({ changes });
  await assert.rejects(make("one-more"), { code: "OVERLOADED" });
  await revokeToken(context, "t1", by);
  await make("one-more");
});
