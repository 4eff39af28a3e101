import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { proxyHeader, readProxyHeader } from "./proxy-protocol.ts";

const read = (text: string) => readProxyHeader(Buffer.from(text, "latin1"));
const v2 = (command: number, family: number, rest: Buffer | number[], length = rest.length) =>
  Buffer.concat([
    Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"),
    Buffer.from([command, family, length >> 8, length & 255]),
    Buffer.from(rest as number[]),
  ]);
const addresses = [10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 1, 187];

test("headers of version 1 are read exactly", () => {
  assert.deepEqual(read("PROXY TCP4 10.0.0.1 10.0.0.2 80 443\r\nGET"), {
    kind: "header",
    source: { address: "10.0.0.1", port: 80 },
    bytes: 37,
  });
  assert.deepEqual(read("PROXY UNKNOWN\r\n"), { kind: "header", source: null, bytes: 15 });
  for (const wrong of [
    "PROXY TCP4 10.0.0.1 10.0.0.2 80\r\n",
    "PROXY TCP4 10.0.0.1 10.0.0.2 80 443 \r\n",
    "PROXY TCP4 ::1 10.0.0.2 80 443\r\n",
    "PROXY TCP6 10.0.0.1 10.0.0.2 80 443\r\n",
    "PROXY TCP4 10.0.0.1 10.0.0.2 65536 443\r\n",
    "PROXY TCP4 10.0.0.1 10.0.0.2 080 443\r\n",
    "PROXY TCP4 10.0.0.256 10.0.0.2 80 443\r\n",
    "PROXY UDP4 10.0.0.1 10.0.0.2 80 443\r\n",
    "PROXY  TCP4 10.0.0.1 10.0.0.2 80 443\r\n",
    `PROXY UNKNOWN ${"x".repeat(200)}`,
    `PROXY ${"1".repeat(102)}\r\n`,
  ])
    assert.deepEqual(read(wrong), { kind: "invalid" }, wrong);
});

test("headers of version 2 are read exactly, with what proxies add", () => {
  const source = { address: "10.0.0.1", port: 80 };
  assert.deepEqual(readProxyHeader(v2(0x21, 0x11, addresses)), { kind: "header", source, bytes: 28 });
  assert.deepEqual(readProxyHeader(v2(0x21, 0x11, [...addresses, 4, 0, 2, 9, 9])), { kind: "header", source, bytes: 33 });
  assert.deepEqual(readProxyHeader(v2(0x20, 0, [])), { kind: "header", source: null, bytes: 16 });
  assert.deepEqual(readProxyHeader(v2(0x20, 0x11, addresses)), { kind: "header", source: null, bytes: 28 });
  for (const [what, wrong] of [
    ["version 1 in binary", v2(0x11, 0x11, addresses)],
    ["an unknown command", v2(0x22, 0x11, addresses)],
    ["an unknown family", v2(0x21, 0x41, addresses)],
    ["an unknown protocol", v2(0x21, 0x13, addresses)],
    ["addresses of the other family", v2(0x21, 0x21, addresses)],
    ["an extra that is longer than the header", v2(0x21, 0x11, [...addresses, 4, 0, 3, 9, 9])],
    ["half of an extra", v2(0x21, 0x11, [...addresses, 4, 0])],
    ["a header of 64 kB", v2(0x21, 0x11, [], 65_535)],
  ] as const)
    assert.deepEqual(readProxyHeader(wrong), { kind: "invalid" }, what);
});

test("what is cut anywhere waits for more, and what is no header is none", () => {
  for (const whole of [Buffer.from("PROXY TCP6 ::1 2001:db8::2 80 443\r\n"), v2(0x21, 0x11, addresses)])
    for (let end = 0; end < whole.length; end++) assert.deepEqual(readProxyHeader(whole.subarray(0, end)), { kind: "more" });
  for (const other of ["GET / HTTP/1.1\r\n", "\x16\x03\x01", "PROXIED", "\r\n\r\nGET"]) assert.deepEqual(read(other), { kind: "none" });
});

test("what is written is read again, and no bytes make the reader fail", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const port = fc.integer({ min: 0, max: 65_535 });
  const same = (text: string) => new URL(text.includes(":") ? `http://[${text}]` : `http://${text}`).hostname;
  fc.assert(
    fc.property(address, address, port, port, (from, to, fromPort, toPort) => {
      const result = readProxyHeader(proxyHeader("tcp", { address: from, port: fromPort }, { address: to, port: toPort }));
      assert.ok(result.kind === "header" && result.source !== null);
      const mapped = /^::ffff:(\d.*)$/i.exec(from)?.[1];
      const got = result.source.address;
      assert.ok(same(got) === same(from) || got === mapped || same(`::ffff:${got}`) === same(from), `${got} ${from}`);
      assert.equal(result.source.port, fromPort);
    }),
  );
  const start = fc.constantFrom(Buffer.alloc(0), Buffer.from("PROXY "), Buffer.from("\r\n\r\n\0\r\nQUIT\n!", "latin1"));
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (head, bytes) => {
      const all = Buffer.concat([head, bytes]);
      const result = readProxyHeader(all);
      assert.ok(result.kind !== "header" || result.bytes <= all.length);
    }),
  );
});
