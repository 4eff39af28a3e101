import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createLog } from "#host/log.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { SpaceName } from "#model/names.ts";
import { keys, objects, put, remove } from "../objects/objects.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import type { StoredToken } from "./stored-token.ts";
import { newTokenText, tokenDigest } from "./token-text.ts";
import { createTokens } from "./tokens.ts";

const hour = 3_600_000;
const ownerText = `drv_admin_12345678_${"0".repeat(72)}`;

function fixture(context: TestContext) {
  const clock = new VirtualClock();
  const store = openMemoryStore({ random: () => 0.25 });
  context.after(() => store.close());
  const log = createLog({ print: assert.fail, nowMs: () => 0, least: "warn" });
  const owner = { id: "12345678", sha256: tokenDigest(ownerText).toString("hex") };
  const tokens = createTokens({ store, owner, clock, log });
  const give = async (name: string, more: Partial<StoredToken> = {}) => {
    const { id, text } = newTokenText(name);
    const nowMs = clock.nowMs();
    const token: StoredToken = {
      name,
      id,
      sha256: tokenDigest(text).toString("hex"),
      role: "viewer",
      spaces: null,
      createdAtMs: nowMs,
      createdBy: "owner",
      expiresAtMs: nowMs + hour,
      ...more,
    };
    await store.commit({ changes: [put(keys.token(name), token)] });
    return text;
  };
  return { clock, store, tokens, give, ask: (text: string) => tokens.authenticate(`Bearer ${text}`) };
}

test("a token names its holder, with role and spaces", async (context) => {
  const { give, ask } = fixture(context);
  const text = await give("ci", { role: "deployer", spaces: ["shop" as SpaceName] });
  assert.match(text, /^drv_api_ci_[0-9a-f]{16}_[0-9a-f]{72}$/);
  const { name, role, spaces, session } = ask(text) ?? {};
  assert.deepEqual({ name, role, spaces, session }, { name: "ci", role: "deployer", spaces: ["shop"], session: null });
  assert.deepEqual([ask(ownerText)?.name, ask(ownerText)?.role, ask(ownerText)?.expiresAtMs], ["owner", "owner", null]);
});

test("what is no token, or almost one, names nobody", async (context) => {
  const { give, ask, tokens } = fixture(context);
  const text = await give("ci");
  const other = await give("other");
  for (const wrong of [
    "",
    text.slice(0, -1),
    `${text}0`,
    text.toUpperCase(),
    text.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
    text.replace("_ci_", "_other_"),
    text.replace("_ci_", "_nobody_"),
    text.replace("_ci_", "_../ci_"),
    other.replace("_other_", "_ci_"),
    `drv_api_ci_${"0".repeat(16)}_${"0".repeat(72)}`,
    `drv_api___proto___${"0".repeat(16)}_${"0".repeat(72)}`,
  ])
    assert.equal(ask(wrong), null, wrong);
  for (const header of [undefined, text, `bearer ${text}`, `Basic ${text}`, `Bearer  ${text}`, `Bearer ${text} ${"x".repeat(300)}`])
    assert.equal(tokens.authenticate(header), null, header);
});

test("a token ends at its time, by the clock of the moment", async (context) => {
  const { clock, give, ask, tokens } = fixture(context);
  const text = await give("ci");
  const { id } = ask(text) ?? assert.fail();
  clock.jump(hour - 1);
  assert.notEqual(tokens.holder(id), null);
  clock.jump(1);
  assert.deepEqual([ask(text), tokens.holder(id)], [null, null]);
});

test("a revoked token names nobody, not even when another gets its name", async (context) => {
  const { store, give, ask, tokens } = fixture(context);
  const text = await give("ci");
  const { id } = ask(text) ?? assert.fail();
  await store.commit({ changes: [remove(keys.token("ci"))] });
  assert.deepEqual([ask(text), tokens.holder(id)], [null, null]);
  const next = await give("ci", { role: "owner" });
  assert.deepEqual([ask(text), tokens.holder(id)], [null, null]);
  assert.equal(ask(next)?.role, "owner");
  assert.deepEqual([tokens.holder("ci"), tokens.holder("/"), tokens.holder("")], [null, null, null]);
});

test("that a token is used is noted once an hour at most", async (context) => {
  const { clock, store, give, ask } = fixture(context);
  const text = await give("ci", { expiresAtMs: clock.nowMs() + 10 * hour });
  const before = store.revision;
  const noted = async () => {
    for (let i = 0; i < 100; i++) ask(text);
    // Whatever was begun is done before another commit is.
    await store.commit({ changes: [put(keys.kv("shop" as SpaceName, "x"), store.revision)] });
    return objects.tokenUse(store, "ci")?.value.usedAtMs;
  };
  const firstAtMs = clock.nowMs();
  assert.equal(await noted(), firstAtMs);
  clock.jump(hour - 1);
  assert.equal(await noted(), firstAtMs);
  clock.jump(1);
  assert.equal(await noted(), firstAtMs + hour);
  assert.equal(store.revision - before, 5, "two uses, and three writes of this test");
});
