import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { SpaceName } from "#model/names.ts";
import { keys } from "../objects/objects.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import type { Change, Condition } from "../store/store.ts";
import { createSecrets, holdsSecrets } from "./sealed-secrets.ts";
import { Sealer } from "./sealer.ts";

const prod = "prod" as SpaceName;
const qa = "qa" as SpaceName;
const canary = "canary-value-7f3a9c";

async function setUp(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "drover-secrets-"));
  const store = openMemoryStore({ random: () => 0.5 });
  context.after(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  const keyFile = join(folder, "secrets.key");
  const clock = { nowMs: () => 7, monotonicMs: () => 0, sleep: async () => {} };
  const secrets = () => createSecrets({ store, sealer: new Sealer(keyFile, () => holdsSecrets(store)), clock });
  const commit = ({ condition, change }: { condition: Condition; change: Change }) =>
    store.commit({ conditions: [condition], changes: [change] });
  return { keyFile, store, secrets, commit };
}

test("a secret is read again as it was set, by space, name and version", async (t) => {
  const { secrets, commit } = await setUp(t);
  const ours = secrets();
  await commit(ours.set(prod, "KEY", "one", new Set()));
  const second = ours.set(prod, "KEY", "two", new Set([1]));
  await commit(second);
  await commit(ours.set(qa, "KEY", "ünïcode\n", new Set()));
  assert.equal(second.version, 2);
  assert.deepEqual([ours.reveal(prod, "KEY", 1), ours.reveal(prod, "KEY", 2), ours.reveal(qa, "KEY", 1)], ["one", "two", "ünïcode\n"]);
  assert.deepEqual(ours.list(prod), [{ name: "KEY", version: 2, updatedAtMs: 7 }]);
  assert.deepEqual(ours.versions(prod), [
    { name: "KEY", version: 1, updatedAtMs: 7 },
    { name: "KEY", version: 2, updatedAtMs: 7 },
  ]);
  assert.deepEqual(ours.latest(prod, "OTHER"), null);
});

test("versions that nothing keeps are gone, and an unset name never gives a number twice", async (t) => {
  const { secrets, commit } = await setUp(t);
  const ours = secrets();
  await commit(ours.set(prod, "KEY", "one", new Set()));
  await commit(ours.set(prod, "KEY", "two", new Set()));
  assert.throws(() => ours.reveal(prod, "KEY", 1), { code: "SECRET_NOT_FOUND" });
  await commit(ours.unset(prod, "KEY"));
  assert.deepEqual(ours.list(prod), []);
  assert.throws(() => ours.reveal(prod, "KEY", 2), { code: "SECRET_NOT_FOUND" });
  assert.throws(() => ours.unset(prod, "KEY"), { code: "SECRET_NOT_FOUND" });
  assert.equal(ours.set(prod, "KEY", "three", new Set()).version, 3);
});

test("of two that set a secret at once, one is told that it came second", async (t) => {
  const { secrets, commit } = await setUp(t);
  const ours = secrets();
  const [one, two] = [ours.set(prod, "KEY", "one", new Set()), ours.set(prod, "KEY", "two", new Set())];
  await commit(one);
  await assert.rejects(commit(two), { code: "CONFLICT" });
  assert.equal(ours.reveal(prod, "KEY", 1), "one");
});

test("the key file is made with the first secret, for its owner alone, and found again", async (t) => {
  const { secrets, commit, keyFile } = await setUp(t);
  const ours = secrets();
  await assert.rejects(stat(keyFile), { code: "ENOENT" });
  await commit(ours.set(prod, "KEY", "one", new Set()));
  assert.equal((await stat(keyFile)).mode & 0o777, 0o600);
  assert.equal(secrets().reveal(prod, "KEY", 1), "one");
});

test("without its key file nothing is read and no new key is made over what is sealed", async (t) => {
  const { secrets, commit, keyFile } = await setUp(t);
  await commit(secrets().set(prod, "KEY", "one", new Set()));
  await rm(keyFile);
  assert.throws(() => secrets().reveal(prod, "KEY", 1), { code: "SECRET_KEY_UNUSABLE", message: /is missing/ });
  assert.throws(() => secrets().set(qa, "KEY", "two", new Set()), { code: "SECRET_KEY_UNUSABLE" });
  await commit(secrets().unset(prod, "KEY"));
  assert.equal(secrets().set(qa, "KEY", "two", new Set()).version, 1, "once nothing is sealed, a new key may be made");
});

test("a key that does not fit, or holds no key, is said", async (t) => {
  const { secrets, commit, keyFile } = await setUp(t);
  await commit(secrets().set(prod, "KEY", "one", new Set()));
  await writeFile(keyFile, Buffer.alloc(32, 1).toString("base64"));
  assert.throws(() => secrets().reveal(prod, "KEY", 1), { code: "SECRET_KEY_UNUSABLE", message: /was sealed under key/ });
  await writeFile(keyFile, "short");
  assert.throws(() => secrets().reveal(prod, "KEY", 1), { code: "SECRET_KEY_UNUSABLE", message: /does not hold a key/ });
});

test("a sealed value does not open in another's place, nor when it was changed", async (t) => {
  const { secrets, commit, store } = await setUp(t);
  const ours = secrets();
  await commit(ours.set(prod, "KEY", canary, new Set()));
  const value = store.get(keys.secret(prod, "KEY"))?.value ?? assert.fail("not stored");
  await store.commit({ changes: [{ kind: "put", key: keys.secret(qa, "KEY"), value }] });
  assert.throws(() => ours.reveal(qa, "KEY", 1), { code: "SECRET_KEY_UNUSABLE", message: /changed/ });
  const sealed = JSON.parse(Buffer.from(value).toString());
  const bytes = Buffer.from(sealed.versions[1].sealed, "base64");
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  sealed.versions[1].sealed = bytes.toString("base64");
  await store.commit({ changes: [{ kind: "put", key: keys.secret(prod, "KEY"), value: Buffer.from(JSON.stringify(sealed)) }] });
  assert.throws(() => ours.reveal(prod, "KEY", 1), { code: "SECRET_KEY_UNUSABLE", message: /changed/ });
});

test("the clear value is neither in the store nor in any error", async (t) => {
  const { secrets, commit, store, keyFile } = await setUp(t);
  const ours = secrets();
  await commit(ours.set(prod, "KEY", canary, new Set()));
  for (const { value } of store.list("")) assert.ok(!Buffer.from(value).includes(canary));
  const second = ours.set(prod, "KEY", canary, new Set());
  await commit(ours.set(prod, "KEY", "other", new Set()));
  const errors: unknown[] = [];
  await commit(second).catch((error: unknown) => errors.push(error));
  await rm(keyFile);
  try {
    secrets().reveal(prod, "KEY", 2);
  } catch (error) {
    errors.push(error);
  }
  assert.equal(errors.length, 2);
  for (const error of errors) assert.ok(!`${String(error)} ${JSON.stringify(error)}`.includes(canary));
});
