import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ApiFixture, startApi } from "../testing/api-fixture.ts";
import { readEvents } from "../testing/read-events.ts";

let api: ApiFixture;
before(async () => {
  api = await startApi();
  await api.call("PUT", "/v1/spaces/default", {});
  await api.call("PUT", "/v1/spaces/other", {});
});
after(() => api[Symbol.asyncDispose]());

const kv = "/v1/spaces/default/kv";

async function codeOf(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  return response.status < 400 ? `status ${response.status}` : ((await response.json()) as { code: string }).code;
}

test("a value comes back byte for byte, with its revision as entity tag", async () => {
  const value = new Uint8Array(256).map((_, i) => i);
  const put = await api.fetch("PUT", `${kv}/some/key`, { body: value });
  const { revision } = (await put.json()) as { revision: number };
  assert.equal(put.headers.get("etag"), `"${revision}"`);
  const got = await api.fetch("GET", `${kv}/some/key`);
  assert.deepEqual(new Uint8Array(await got.arrayBuffer()), value);
  assert.equal(got.headers.get("etag"), `"${revision}"`);
  assert.equal(got.headers.get("content-type"), "application/octet-stream");
});

test("keys are free text: slashes, escapes, and names of object members", async () => {
  for (const key of ["a/b/c", "a%2Fb", "%20", "__proto__", "constructor", "..%2f..%2fx", "%F0%9F%90%91", "a%00b"]) {
    const answer = await codeOf(api.fetch("PUT", `${kv}/${key}`, { body: "x" }));
    assert.equal(answer, key.includes("%00") ? "REQUEST_INVALID" : "status 200", key);
  }
  assert.equal(await codeOf(api.fetch("PUT", `${kv}/${"k".repeat(901)}`, { body: "x" })), "REQUEST_INVALID");
});

test("a write under a condition happens only if the key is as it was read", async () => {
  const key = `${kv}/conditional`;
  assert.equal(await codeOf(api.fetch("PUT", key, { body: "1", headers: { "if-match": '"7"' } })), "PRECONDITION_FAILED");
  const made = await api.fetch("PUT", key, { body: "1", headers: { "if-none-match": "*" } });
  assert.equal(made.status, 200);
  assert.equal(await codeOf(api.fetch("PUT", key, { body: "2", headers: { "if-none-match": "*" } })), "PRECONDITION_FAILED");
  const etag = made.headers.get("etag") ?? "";
  assert.equal((await api.fetch("PUT", key, { body: "2", headers: { "if-match": etag } })).status, 200);
  assert.equal(await codeOf(api.fetch("DELETE", key, { headers: { "if-match": etag } })), "PRECONDITION_FAILED");
  assert.equal(await codeOf(api.fetch("PUT", key, { body: "3", headers: { "if-match": "7" } })), "REQUEST_INVALID");
  assert.equal(await (await api.fetch("GET", key)).text(), "2");
});

test("of many writers under one condition exactly one gets through", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => api.fetch("PUT", `${kv}/race`, { body: String(i), headers: { "if-none-match": "*" } })),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(answers.filter(({ status }) => status === 412).length, 19);
});

test("what is gone is gone, and deleting it again says so", async () => {
  await api.call("PUT", `${kv}/gone`);
  assert.equal((await api.fetch("DELETE", `${kv}/gone`)).status, 200);
  assert.equal(await codeOf(api.fetch("DELETE", `${kv}/gone`)), "KEY_NOT_FOUND");
  assert.equal(await codeOf(api.fetch("GET", `${kv}/gone`)), "KEY_NOT_FOUND");
});

test("keys are listed by prefix, page by page, and never those of another space", async () => {
  for (const key of ["p/1", "p/2", "p/3", "q/1"]) await api.call("PUT", `${kv}/${key}`);
  await api.call("PUT", "/v1/spaces/other/kv/p/9");
  const first = await api.call<{ keys: { key: string }[]; more: boolean }>("GET", `${kv}?prefix=p/&limit=2`);
  assert.deepEqual([first.keys.map(({ key }) => key), first.more], [["p/1", "p/2"], true]);
  const second = await api.call<{ keys: { key: string; value: string }[]; more: boolean }>("GET", `${kv}?prefix=p/&after=p/2&values`);
  assert.deepEqual([second.keys.map(({ key }) => key), second.more], [["p/3"], false]);
  assert.equal(second.keys[0]?.value, "");
});

test("a watch tells each change once, in order, and goes on where it was left", async () => {
  const { revision } = await api.call<{ revision: number }>("PUT", `${kv}/w/0`);
  for (const i of [1, 2, 3]) await api.call("PUT", `${kv}/w/${i}`);
  await api.call("PUT", `${kv}/elsewhere`);
  const first = await readEvents(await api.fetch("GET", `/v1/spaces/default/watch?prefix=w/&after=${revision}`), 2);
  const keysOf = (events: readonly { data: unknown }[]) =>
    events.flatMap(({ data }) => (data as { changes: { key: string }[] }).changes.map(({ key }) => key));
  assert.deepEqual(keysOf(first), ["w/1", "w/2"]);
  const headers = { "last-event-id": String(first.at(-1)?.id) };
  const resumed = api.fetch("GET", "/v1/spaces/default/watch?prefix=w/", { headers });
  await api.call("DELETE", `${kv}/w/0`);
  assert.deepEqual(keysOf(await readEvents(await resumed, 2)), ["w/3", "w/0"]);
});

test("a watch that asks for compacted or future history is refused with its own status", async () => {
  const { revision } = await api.call<{ revision: number }>("PUT", `${kv}/c`);
  await api.services.store.compact(revision);
  const compacted = await api.fetch("GET", `/v1/spaces/default/watch?after=${revision - 1}`);
  assert.deepEqual([compacted.status, ((await compacted.json()) as { code: string }).code], [410, "COMPACTED"]);
  const future = await api.fetch("GET", `/v1/spaces/default/watch?after=${revision + 1_000}`);
  assert.deepEqual([future.status, ((await future.json()) as { code: string }).code], [400, "REVISION_IN_FUTURE"]);
});

test("hundreds of watchers of one key are all told of a change", async () => {
  const watchers = await Promise.all(Array.from({ length: 200 }, () => api.fetch("GET", "/v1/spaces/default/watch?prefix=many")));
  const told = watchers.map((watcher) => readEvents(watcher, 1));
  const { revision } = await api.call<{ revision: number }>("PUT", `${kv}/many`);
  for (const [event] of await Promise.all(told)) assert.equal(event?.id, String(revision));
});
