import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createOutgoing } from "#host/outgoing.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { fillTemplate, sendWebhook } from "./webhook.ts";

async function withReceiver(answer: http.RequestListener, use: (url: string, calls: () => number) => Promise<void>): Promise<void> {
  let calls = 0;
  const receiver = http
    .createServer((request, response) => {
      calls++;
      answer(request, response);
    })
    .listen(0, "127.0.0.1");
  await once(receiver, "listening");
  try {
    await use(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`, () => calls);
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
}

const send = (url: string, clock = new VirtualClock(0), allowed: readonly string[] = ["127.0.0.1"]) =>
  sendWebhook(
    { url, message: { id: "m1", body: "{}" }, secret: null, resolve: createOutgoing(allowed), clock },
    new AbortController().signal,
  );

test("a receiver that never answers is given up after its deadline", () => {
  const clock = new VirtualClock(0);
  return withReceiver(
    () => void clock.advance(10_000),
    async (url) => assert.equal(await send(url, clock), "no answer within 10 s"),
  );
});

test("an answer of 500 is a failure, and so is a redirect, which is not followed", async () => {
  await withReceiver(
    (_, response) => void response.writeHead(500).end(),
    async (url) => assert.equal(await send(url), "answered 500"),
  );
  await withReceiver(
    (request, response) => void response.writeHead(302, { location: request.url ?? "/" }).end(),
    async (url, calls) => {
      assert.equal(await send(url), "answered 302, and redirects are not followed");
      assert.equal(calls(), 1);
    },
  );
});

test("an endless answer is not read: its status is all that counts", () =>
  withReceiver(
    (_, response) => {
      response.writeHead(200);
      const pump = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", pump);
      pump();
    },
    async (url) => assert.equal(await send(url), null),
  ));

test("addresses inside are refused, however they are written", async () => {
  const hosts = [
    "127.0.0.1:1",
    "127.1:1",
    "0",
    "[::]",
    "[::1]:1",
    "[::ffff:127.0.0.1]:1",
    "[::ffff:169.254.169.254]",
    "2130706433",
    "0x7f.1",
  ];
  for (const host of [...hosts, "017700000001", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "localhost", "x@127.0.0.1:1"])
    assert.match((await send(`http://${host}/`, new VirtualClock(0), [])) ?? "taken", /inside/, host);
});

test("a redirect to an address inside is not followed, even where the receiver itself is allowed", async () => {
  for (const location of ["http://169.254.169.254/latest/meta-data", "http://127.0.0.2/", "//[::1]/"])
    await withReceiver(
      (_, response) => void response.writeHead(308, { location }).end(),
      async (url, calls) => {
        assert.equal(await send(url), "answered 308, and redirects are not followed");
        assert.equal(calls(), 1);
      },
    );
});

test("a name that answers otherwise the second time is called at the address that was judged", () =>
  withReceiver(
    (_, response) => void response.end(),
    async (url, calls) => {
      let asked = 0;
      const rebinding = (async () => ({ address: asked++ === 0 ? "127.0.0.1" : "192.0.2.1", family: 4 })) as never;
      const resolve = createOutgoing(["127.0.0.1"], rebinding);
      const message = { id: "m1", body: "{}" };
      const { port } = new URL(url);
      const told = sendWebhook(
        { url: `http://rebind.test:${port}/hook`, message, secret: null, resolve, clock: new VirtualClock(0) },
        new AbortController().signal,
      );
      assert.equal(await told, null);
      assert.deepEqual([asked, calls()], [1, 1]);
      // The other way round: judged outside, and never dialled inside although the name leads there by now.
      asked = 0;
      const turned = (async () => ({ address: asked++ === 0 ? "169.254.169.254" : "127.0.0.1", family: 4 })) as never;
      const refused = sendWebhook(
        { url: `http://rebind.test:${port}/hook`, message, secret: null, resolve: createOutgoing([], turned), clock: new VirtualClock(0) },
        new AbortController().signal,
      );
      assert.match((await refused) ?? "taken", /inside/);
      assert.deepEqual([asked, calls()], [1, 1]);
    },
  ));

test("what is put into a template stays inside of its text", () => {
  const filled = fillTemplate('{ "text": "{{text}}", "more": "{{ unknown }}" }', { text: 'quote " and\nline' });
  assert.deepEqual(JSON.parse(filled), { text: 'quote " and\nline', more: "{{ unknown }}" });
});
