import assert from "node:assert/strict";
import http from "node:http";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { readWholeRequest } from "./whole-request.ts";

const maxHeadBytes = 16_384;
const head = "PUT /v1/spaces/a/kv/b?c=d HTTP/1.1\r\nhost: localhost\r\nx-a: b\r\ncontent-length: 4\r\n\r\nbody";

interface Read {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** What Node's own reader makes of the same bytes: every request that is in them. */
async function readByNode(bytes: Buffer): Promise<readonly Read[]> {
  const reads: Read[] = [];
  const server = http.createServer({ maxHeaderSize: maxHeadBytes }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      reads.push({ method, url, headers: { ...headers }, body: Buffer.concat(chunks).toString("latin1") });
      response.end();
    });
  });
  const [near, far] = duplexPair();
  server.emit("connection", far);
  near.resume().on("error", () => {});
  near.write(bytes);
  for (let turns = 0; turns < 8; turns++) await turn();
  near.destroy();
  far.destroy();
  return reads;
}

test("a plain request is read whole, and its fields are taken again where they are the same", () => {
  const first = readWholeRequest(Buffer.from(head), null, maxHeadBytes);
  assert.deepEqual(
    { ...first, fields: { ...first?.fields.headers }, body: String(first?.body) },
    {
      method: "PUT",
      url: "/v1/spaces/a/kv/b?c=d",
      fields: { host: "localhost", "x-a": "b", "content-length": "4" },
      body: "body",
    },
  );
  const second = readWholeRequest(Buffer.from(head.replace("kv/b", "kv/c")), first?.fields ?? null, maxHeadBytes);
  assert.equal(second?.fields, first?.fields);
  assert.equal(second?.url, "/v1/spaces/a/kv/c?c=d");
});

test("what is not whole, or not plain, is left to Node", () => {
  const others = [
    head.slice(0, -1),
    `${head}x`,
    head.replace("PUT", "HEAD"),
    head.replace("PUT", "CONNECT"),
    head.replace("1.1", "1.0"),
    head.replace("/v1/", "/v2/"),
    head.replace("/v1/", "http://a/v1/"),
    head.replace("c=d", "c=#d"),
    head.replace("x-a: b", "Content-Length: 4"),
    head.replace("content-length: 4", "content-length: 04"),
    head.replace("content-length: 4", "transfer-encoding: chunked"),
    head.replace("x-a: b", "expect: 100-continue"),
    head.replace("x-a: b", "upgrade: websocket"),
    head.replace("x-a: b", "connection: close"),
    head.replace("x-a: b", "x-a : b"),
    head.replace("x-a: b", "x-a: b\r\n c"),
    head.replace("x-a: b", "x-a: b\nc: d"),
    head.replace("host: localhost\r\n", ""),
    head.replace("x-a: b", `x-a: ${"b".repeat(maxHeadBytes)}`),
  ];
  for (const other of others) assert.equal(readWholeRequest(Buffer.from(other), null, maxHeadBytes), null, JSON.stringify(other));
});

test("whatever is read whole, Node reads as the same one request", async () => {
  const piece = fc.constantFrom(
    ..."\r\n,\n,\r,:, ,\t,/,?,#,%,\0,\x7f,\xff,;,0,4,+4,-1,GET ,HTTP/1.1,host: b,Host:,content-length: 0,Content-Length: 4,\r\n\r\n".split(
      ",",
    ),
    "transfer-encoding: chunked\r\n",
    "connection: keep-alive\r\n",
    "connection: x-a\r\n",
    "cookie: a=b\r\n",
    "x-b:\r\n",
    "x-c:  d \t\r\n",
    "__proto__: e\r\n",
    "set-cookie: a\r\n",
  );
  const edit = fc.record({ at: fc.nat(head.length), cut: fc.nat(4), put: piece });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      let text = head;
      // Half of the edits would only break the line that they are in: these begin one.
      for (const { at, cut, put } of edits) {
        const from = put.endsWith("\r\n") ? text.indexOf("\r\n", at) + 2 : at;
        text = text.slice(0, from) + put + text.slice(from + (put.endsWith("\r\n") ? 0 : cut));
      }
      const bytes = Buffer.from(text, "latin1");
      const whole = readWholeRequest(bytes, null, maxHeadBytes);
      if (whole === null) return;
      taken++;
      const { method, url, fields, body } = whole;
      assert.deepEqual(await readByNode(bytes), [{ method, url, headers: { ...fields.headers }, body: body.toString("latin1") }]);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(taken > 20, `${taken} were read whole`);
});
