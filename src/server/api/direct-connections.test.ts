import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { z } from "zod";
import { route } from "./route.ts";
import { type ApiFixture, startApi } from "./testing/api-fixture.ts";

let api: ApiFixture;
const held: { readonly signal: AbortSignal; readonly answer: () => void }[] = [];

const own = { method: "GET", summary: "", access: "open", answer: { kind: "json", schema: z.unknown() } } as const;
/** Answers when the test says so. */
const heldRoute = route({
  ...own,
  path: "/v1/held",
  id: "held",
  handle: ({ signal }) => new Promise((resolve) => held.push({ signal, answer: () => resolve({ json: { held: true } }) })),
});

before(async () => {
  api = await startApi({
    routes: (all) => [
      ...all,
      heldRoute,
      route({ ...own, path: "/v1/large", id: "large", handle: async () => ({ json: "x".repeat(2 ** 24) }) }),
      route({ ...own, path: "/v1/split", id: "split", handle: async () => ({ json: {}, headers: { x: "a\r\nb: c" } }) }),
    ],
  });
  await api.call("PUT", "/v1/spaces/default", {});
  await api.fetch("PUT", "/v1/spaces/default/kv/there", { body: "value" });
});
after(() => api[Symbol.asyncDispose]());

/** A request that does everything as it should. */
function plain(line: string, { body = "", fields = "" } = {}): string {
  const length = body === "" ? "" : `content-length: ${Buffer.byteLength(body)}\r\n`;
  return `${line} HTTP/1.1\r\nhost: 127.0.0.1:${api.port}\r\nauthorization: Bearer ${api.token}\r\n${fields}${length}\r\n${body}`;
}

async function open(): Promise<Socket> {
  const socket = connect(api.port, "127.0.0.1").setNoDelay();
  await once(socket, "connect");
  return socket;
}

/** All that comes until the other side ends. */
async function rest(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("latin1");
}

/** The next answer of a connection, which has a length. */
async function nextAnswer(socket: Socket): Promise<string> {
  let text = "";
  for (;;) {
    const [, length = ""] = /content-length: (\d+)\r\n/i.exec(text) ?? [];
    const end = text.indexOf("\r\n\r\n");
    if (end !== -1 && text.length >= end + 4 + Number(length)) return text;
    text += String(await once(socket, "data"));
  }
}

/** An answer without what differs between any two: times, ids, revisions, and how the connection goes on. */
function gist(answer: string): unknown {
  const [head = "", body] = answer.split("\r\n\r\n");
  const [status, ...fields] = head.split("\r\n");
  const own = fields.map((field) => field.replace(/^[^:]+/, (name) => name.toLowerCase())).sort();
  const isOfRequest = (field: string) => !/^(?:date|connection|keep-alive|x-request-id|etag|content-length):/.test(field);
  return { status, fields: own.filter(isOfRequest), body: body?.replace(/"revision":\d+/, "") };
}

test("a request is answered alike whether it comes in one piece or in several", async () => {
  const json = "content-type: application/json\r\n";
  const requests = [
    plain("PUT /v1/spaces/default/kv/a", { body: "value" }),
    plain("PUT /v1/spaces/default/kv/a", { body: "value", fields: "if-none-match: *\r\n" }),
    plain("PUT /v1/spaces/default/kv/%e4", { body: "value" }),
    plain("GET /v1/spaces/default/kv/there"),
    plain("GET /v1/spaces/default/kv/nothing"),
    plain("GET /v1/spaces/default/kv?prefix=th&values=true"),
    plain("GET /v1/spaces/default/kv?prefx=th"),
    plain("POST /v1/apply", { body: '{"documents":[]}', fields: json }),
    plain("POST /v1/apply", { body: '{"documents":[]}' }),
    plain("POST /v1/apply", { body: "{", fields: json }),
    plain("POST /v1/apply", { body: "ä\u0000", fields: json }),
    plain("GET /v1/spaces/default", { body: "x".repeat(2_000) }),
    plain("GET /v1/nowhere"),
    plain("GET /v1"),
    plain("GET /"),
    plain("DELETE /v1/status"),
    plain("OPTIONS /v1/status"),
    plain("HEAD /v1/status"),
    plain("get /v1/status"),
    plain("GET  /v1/status"),
    plain("GET /v1/status#there"),
    plain(`GET http://127.0.0.1:${api.port}/v1/spaces`),
    plain("GET /v1/spaces").replace("HTTP/1.1", "HTTP/1.0"),
    plain("GET /v1/spaces").replace("Bearer", "Beare"),
    plain("GET /v1/spaces").replace("host: 127.0.0.1", "host: evil.example"),
    plain("GET /v1/spaces").replace("host:", "most:"),
    plain("GET /v1/spaces", { fields: "host: 127.0.0.1\r\n" }),
    plain("GET /v1/spaces", { fields: "cookie: a=b\r\ncookie: c=d\r\n" }),
    plain("GET /v1/spaces", { fields: "x : y\r\n" }),
    plain("GET /v1/spaces", { fields: "x: y\r\n folded\r\n" }),
    plain("GET /v1/spaces", { fields: "x: \xff\r\n" }),
    plain("GET /v1/spaces", { fields: "x: \x01\r\n" }),
    plain("GET /v1/spaces", { fields: "x:\ty z \r\n" }),
    plain("PUT /v1/spaces/default/kv/b", { body: "value", fields: "content-length: 5\r\n" }),
    plain("PUT /v1/spaces/default/kv/b", { body: "value", fields: "content-length: 6\r\n" }),
    plain("PUT /v1/spaces/default/kv/b", { fields: "content-length: +0\r\n" }),
    plain("PUT /v1/spaces/default/kv/b", { body: "0\r\n\r\n", fields: "transfer-encoding: chunked\r\n" }),
    plain("PUT /v1/spaces/default/kv/b", { fields: "transfer-encoding: chunked\r\n" }).concat("1\r\nv\r\n0\r\n\r\n"),
    plain("PUT /v1/spaces/default/kv/b", { body: "value", fields: "expect: nothing\r\n" }),
    plain("PUT /v1/spaces/default", { body: "{}", fields: `${json}idempotency-key: \x7f\r\n` }),
  ];
  for (const request of requests) {
    const [whole, split] = await Promise.all(
      [[request.length], [3, request.length - 1, request.length]].map((ends) => sendIn(ends, request)),
    );
    assert.deepEqual(gist(whole ?? ""), gist(split ?? ""), JSON.stringify(request));
  }
});

/** Sends a request cut at these places, and then ends. */
async function sendIn(ends: readonly number[], request: string): Promise<string> {
  const socket = await open();
  const answer = rest(socket);
  let from = 0;
  for (const end of ends) {
    socket.write(request.slice(from, end), "latin1");
    from = end;
    // Time for it to arrive alone; should it not, both ways are the same one.
    for (let turns = 0; turns < 20; turns++) await turn();
  }
  socket.end();
  return answer;
}

test("a connection goes from one way to the other with whatever comes, and nothing is lost or out of order", async () => {
  const socket = await open();
  for (const key of ["c1", "c2"]) {
    socket.write(plain(`PUT /v1/spaces/default/kv/${key}`, { body: key }));
    assert.match(await nextAnswer(socket), /^HTTP\/1\.1 200 OK\r\n.*keep-alive: timeout=65\r\n/s);
  }
  const large = "x".repeat(300_000);
  const answers = rest(socket);
  socket.write(plain("PUT /v1/spaces/default/kv/c3", { body: large }));
  socket.write(plain("GET /v1/spaces/default/kv/c1") + plain("GET /v1/spaces/default/kv/c2"));
  socket.end(plain("GET /v1/spaces/default/kv/there", { fields: "connection: close\r\n" }));
  assert.match(await answers, /^HTTP.*"key":"c3".*HTTP.*\r\n\r\nc1HTTP.*\r\n\r\nc2HTTP.*\r\n\r\nvalue$/s);
  assert.equal((await api.fetch("GET", "/v1/spaces/default/kv/c3")).headers.get("content-length"), "300000");
});

test("a request waits for the answer to the one before, and the caller may have ended by then", async () => {
  const socket = await open();
  const answers = rest(socket);
  socket.write(plain("GET /v1/held"));
  while (held.length === 0) await turn();
  socket.write(plain("GET /v1/spaces/default/kv/there"));
  socket.end();
  const [first] = held.splice(0);
  for (let turns = 0; turns < 50; turns++) await turn();
  assert.equal(first?.signal.aborted, false);
  first?.answer();
  assert.match(await answers, /^HTTP.*\{"held":true\}HTTP.*connection: close\r\n\r\nvalue$/s);
});

test("who goes away is noticed", async () => {
  const socket = await open();
  socket.write(plain("GET /v1/held"));
  while (held.length === 0) await turn();
  const [first] = held.splice(0);
  const { signal } = first ?? {};
  assert.ok(signal !== undefined && !signal.aborted);
  socket.resetAndDestroy();
  await once(signal, "abort");
  first?.answer();
});

test("nothing more is answered to who does not read", async () => {
  const socket = await open();
  socket.write(plain("GET /v1/large"));
  await once(socket, "readable");
  socket.write(plain("GET /v1/held"));
  for (let turns = 0; turns < 200; turns++) await turn();
  assert.equal(held.length, 0);
  const answers = rest(socket);
  while (held.length === 0) await turn();
  held.splice(0)[0]?.answer();
  socket.end();
  assert.match((await answers).slice(-20), /\{"held":true\}$/);
});

test("an answer that would begin a field of its own is a defect, and not sent", async () => {
  const socket = await open();
  socket.end(plain("GET /v1/split"));
  const answer = await rest(socket);
  assert.match(answer, /^HTTP\/1\.1 500 .*"INTERNAL"/s);
  assert.doesNotMatch(answer, /\nb: c/);
});

test("a server that stops ends the connections that wait, and those that are busy with their answer", async () => {
  const other = await startApi({ routes: (all) => [...all, heldRoute] });
  const [idle, busy] = [connect(other.port, "127.0.0.1"), connect(other.port, "127.0.0.1")];
  await Promise.all([once(idle, "connect"), once(busy, "connect")]);
  const answers = [rest(idle), rest(busy)];
  busy.write(`GET /v1/held HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
  while (held.length === 0) await turn();
  const [asked] = held.splice(0);
  const stopped = other[Symbol.asyncDispose]();
  asked?.answer();
  await stopped;
  const [ofIdle, ofBusy] = await Promise.all(answers);
  assert.equal(ofIdle, "");
  assert.match(ofBusy ?? "", /^HTTP.*connection: close.*\{"held":true\}$/s);
});
