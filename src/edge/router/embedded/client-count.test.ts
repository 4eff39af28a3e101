import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { defaultLimits, partOf } from "./limits.ts";
import { edgeCertificate, testAuthority } from "./testing/certificates.ts";
import { host, RawClient, rawOrigin, routeTo, startEdge } from "./testing/edge.ts";

const get = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const upgrade = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** One connection at most of each client, whom a trusted proxy names. */
async function start(t: TestContext) {
  const lines: string[] = [];
  const origin = await rawOrigin(t, (soFar, socket) => {
    const isUpgrade = soFar.includes("websocket");
    socket.write(
      isUpgrade
        ? "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        : "HTTP/1.1 204 No Content\r\n\r\n",
    );
  });
  const edge = await startEdge(t, { clientsPerAddress: 1 }, { trustedProxies: ["127.0.0.1"], print: (line) => lines.push(line) });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const connect = (source: string | null, port = edge.port) => {
    const client = new RawClient(port);
    t.after(() => client.socket.destroy());
    if (source !== null) client.write(`PROXY TCP4 ${source} 192.0.2.9 40000 443\r\n`);
    return client;
  };
  const ask = async (client: RawClient, request = get) => {
    client.write(request);
    return Number((await client.until("\r\n\r\n")).slice(9, 12));
  };
  /** Once the edge has learnt that the one before is gone. */
  const comeBack = async (source: string) => {
    for (;;) {
      const client = connect(source);
      if ((await ask(client)) === 204) return client;
    }
  };
  return { edge, lines, connect, ask, comeBack };
}

test("a client that has as many connections as it may is told so, and the log says it now and then", async (t) => {
  const { lines, connect, ask, comeBack } = await start(t);
  const only = connect("192.0.2.1");
  assert.equal(await ask(only), 204);
  for (let i = 0; i < 3; i++) assert.equal(await ask(connect("192.0.2.1")), 429);
  assert.equal(await ask(connect("192.0.2.2")), 204, "others are others");
  const [told, ...again] = lines.filter((line) => line.includes("connections refused"));
  assert.match(told ?? "", /"client":"192\.0\.2\.1","open":1,"refused":1/);
  assert.deepEqual(again, []);
  only.socket.destroy();
  await comeBack("192.0.2.1");
});

test("a connection counts for its client until it closes, whatever became of it", async (t) => {
  const { connect, ask, comeBack } = await start(t);
  for (const become of [upgrade, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"]) {
    const client = await comeBack("192.0.2.1");
    client.write(become);
    // Either way the edge answers: with a head, or its settings.
    await client.until(become === upgrade ? "101" : "\x04\0");
    assert.equal(await ask(connect("192.0.2.1")), 429);
    client.socket.destroy();
  }
  await comeBack("192.0.2.1");
});

test("a connection over TLS counts from its first byte", async (t) => {
  const { edge, connect } = await start(t);
  await edge.openTls("127.0.0.1", 0);
  await edge.certify({ set: [await edgeCertificate(await testAuthority(), [host])], remove: [] });
  const both = [connect("192.0.2.1", edge.tlsPort), connect("192.0.2.1", edge.tlsPort)];
  for (const client of both) client.write("\x16");
  await Promise.race(both.map((client) => client.closed()));
  assert.deepEqual(both.map(({ socket }) => socket.closed).sort(), [false, true]);
});

test("a proxy that does not name its clients may have any number", async (t) => {
  const { connect, ask } = await start(t);
  for (let i = 0; i < 5; i++) assert.equal(await ask(connect(null)), 204);
});

test("one address may have a fifth of what each of several routers holds, or about what was said of them together", () => {
  const every = Number.POSITIVE_INFINITY;
  assert.equal(partOf(defaultLimits, 1, every, null).clientsPerAddress, defaultLimits.clientsPerAddress);
  assert.equal(partOf(defaultLimits, 4, every, null).clientsPerAddress, 1_000);
  assert.equal(partOf(defaultLimits, 4, 100, null).clientsPerAddress, 20);
  assert.equal(partOf(defaultLimits, 1, every, 7).clientsPerAddress, 7);
  assert.equal(partOf(defaultLimits, 2, every, 7).clientsPerAddress, 7);
  assert.equal(partOf(defaultLimits, 4, every, 100).clientsPerAddress, 50);
});
