import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import type { Duplex, Writable } from "node:stream";
import type { TestContext } from "node:test";
import { freePort } from "#host/testing/free-ports.ts";
import { endpoint, exchangeBytes, host, ok, RawClient, rawOrigin, route, routeTo, statusOf } from "../embedded/testing/edge.ts";
import type { Check } from "./contract.ts";
import { answered, endStream, exchangeFrames, frame, post, type } from "./hostile-frames.ts";
import type { RouterKind } from "./routers.ts";

async function httpOrigin(t: TestContext, server: http.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

/** An app that speaks just enough WebSocket to send back one short text. */
function echoSockets(t: TestContext): http.Server {
  const server = http.createServer((_, answer) => answer.writeHead(404).end());
  server.on("upgrade", (incoming: http.IncomingMessage, socket: Duplex) => {
    const accept = createHash("sha1")
      .update(`${incoming.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    socket.on("data", (frame: Buffer) => {
      const length = (frame[1] as number) & 127;
      const payload = frame.subarray(6, 6 + length).map((byte, i) => byte ^ (frame[2 + (i % 4)] as number));
      // A close is answered by a close, anything else by itself.
      socket.write(Buffer.concat([Buffer.from([frame[0] as number, length]), payload]));
      if (((frame[0] as number) & 15) === 8) socket.end();
    });
  });
  return server;
}

/** Most bytes that were under way at once in a stream of `total`: kernel buffers of four sockets and the edge's own. */
const underWay = 24 * 2 ** 20;
const total = 100 * 2 ** 20;
const piece = Buffer.alloc(65_536, "x");

/** Writes `total` bytes, and says how far the reader is behind at worst. */
function pour(into: Writable, received: () => number): Promise<number> {
  return new Promise((resolve) => {
    let sent = 0;
    let worst = 0;
    const more = () => {
      while (sent < total) {
        sent += piece.length;
        worst = Math.max(worst, sent - received());
        if (!into.write(piece)) return into.once("drain", more);
      }
      into.end();
      return resolve(worst);
    };
    more();
  });
}

/** Reads a piece a turn: slower than any writer. */
async function sip(from: AsyncIterable<Buffer>, took: (bytes: number) => void): Promise<void> {
  for await (const bytes of from) {
    took(bytes.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Long answers, WebSockets, and ports of a route's own, at any router. */
export function streamsContract(kind: RouterKind, check: Check): void {
  check("a WebSocket client talks through the edge and outlives the instance's place in the table", async (t) => {
    const port = await httpOrigin(t, echoSockets(t));
    const edge = await kind.start(t);
    const target = { release: 1, weight: 1, endpoints: [endpoint(port, "space/app/web.1.old")] };
    await edge.apply({ set: [route([target], { listener: { kind: "public", host: "127.0.0.1", path: "/" } })], remove: [] });
    const socket = new WebSocket(`ws://127.0.0.1:${edge.port}/chat`);
    await once(socket, "open");
    const say = async (text: string) => {
      socket.send(text);
      const [message] = (await once(socket, "message")) as [MessageEvent];
      assert.equal(message.data, text);
    };
    await say("before");

    const drains = edge.draining(t.signal)[Symbol.asyncIterator]();
    await edge.apply({ set: [route([], { listener: { kind: "public", host: "127.0.0.1", path: "/" } })], remove: [] });
    assert.deepEqual((await drains.next()).value, { instance: "space/app/web.1.old", open: 1 });
    await say("after");
    socket.close();
    assert.deepEqual((await drains.next()).value, { instance: "space/app/web.1.old", open: 0 });
  });

  check("100 MB come down to a slow reader without piling up", async (t) => {
    let received = 0;
    let behind = Number.POSITIVE_INFINITY;
    const server = http.createServer(async (_, answer) => {
      behind = await pour(answer, () => received);
    });
    const port = await httpOrigin(t, server);
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(port)], remove: [] });
    const request = http.get({ port: edge.port, host: "127.0.0.1", headers: { host }, agent: false });
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    await sip(answer, (bytes) => {
      received += bytes;
    });
    assert.equal(received, total);
    assert.ok(behind < underWay, `${behind} bytes were under way`);
  });

  check("100 MB go up to a slow app without piling up", async (t) => {
    let received = 0;
    const server = http.createServer(async (incoming, answer) => {
      await sip(incoming, (bytes) => {
        received += bytes;
      });
      answer.end("done");
    });
    const port = await httpOrigin(t, server);
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(port)], remove: [] });
    const request = http.request({
      port: edge.port,
      host: "127.0.0.1",
      method: "POST",
      headers: { host, "content-length": total },
      agent: false,
    });
    const behind = await pour(request, () => received);
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    answer.resume();
    assert.equal(answer.statusCode, 200);
    assert.equal(received, total);
    assert.ok(behind < underWay, `${behind} bytes were under way`);
  });

  check("an event stream arrives event by event", async (t) => {
    const origin = await rawOrigin(t, (_, socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
      send = (text) => socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
    });
    let send = (_text: string): boolean => assert.fail("no request came");
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const client = new RawClient(edge.port);
    client.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await client.until("\r\n\r\n");
    for (const event of ["one", "two", "three"]) {
      send(`data: ${event}\n\n`);
      await client.until(`data: ${event}\n\n`);
    }
    client.socket.destroy();
  });

  check("an http service port belongs to its route whatever the Host", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t);
    const port = await freePort();
    await edge.apply({ set: [route(routeTo(origin.port).targets, { listener: { kind: "service", port, protocol: "http" } })], remove: [] });
    assert.equal(statusOf(await exchangeBytes(port, "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n")), 200);
    assert.match(origin.received[0] ?? "", /host: 127\.0\.0\.1:1\r\n/);
  });

  check("a tcp service port carries bytes both ways, and the end of one side before the other", async (t) => {
    const server = net.createServer({ allowHalfOpen: true }, async (socket) => {
      let text = "";
      for await (const bytes of socket) text += bytes;
      socket.end(`got ${text}`);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const edge = await kind.start(t);
    const port = await freePort();
    const service = route(routeTo((server.address() as net.AddressInfo).port).targets, {
      listener: { kind: "service", port, protocol: "tcp" },
    });
    await edge.apply({ set: [service], remove: [] });
    assert.equal(await exchangeBytes(port, "hello", { end: true }), "got hello");
  });

  check("a tcp connection goes on while its instance drains, and new ones go elsewhere", async (t) => {
    const echo = (name: string) => rawOrigin(t, (soFar, socket) => socket.write(`${name}:${soFar.at(-1)}`));
    const [old, fresh] = await Promise.all([echo("old"), echo("new")]);
    const edge = await kind.start(t);
    const port = await freePort();
    const to = (origin: { readonly port: number }) =>
      route(routeTo(origin.port).targets, { listener: { kind: "service", port, protocol: "tcp" } });
    await edge.apply({ set: [to(old)], remove: [] });
    const client = new RawClient(port);
    client.write("a");
    await client.until("old:a");
    await edge.apply({ set: [to(fresh)], remove: [] });
    client.write("b");
    await client.until("old:b");
    const other = new RawClient(port);
    other.write("c");
    await other.until("new:c");
    const drains = edge.draining(t.signal)[Symbol.asyncIterator]();
    assert.deepEqual((await drains.next()).value, { instance: `space/app/web.1.${old.port}`, open: 1 });
    client.socket.end();
    assert.deepEqual((await drains.next()).value, { instance: `space/app/web.1.${old.port}`, open: 0 });
    other.socket.destroy();
  });

  check("a service port that is taken is a problem of its route alone, and is opened once it is free", async (t) => {
    const origin = await rawOrigin(t);
    const taken = await rawOrigin(t);
    const edge = await kind.start(t);
    const service = route(routeTo(origin.port).targets, {
      id: "service",
      listener: { kind: "service", port: taken.port, protocol: "http" },
    });
    await edge.apply({ set: [service, routeTo(origin.port)], remove: [] });
    assert.deepEqual(
      edge.problems().map(({ route, port, code }) => ({ route, port, code })),
      [{ route: "service", port: taken.port, code: "PORT_IN_USE" }],
    );
    assert.equal(statusOf(await exchangeBytes(edge.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)), 200);
    await taken.close();
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    assert.deepEqual(edge.problems(), []);
    assert.equal(statusOf(await exchangeBytes(taken.port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 200);
  });

  check("a service port closes with its route; what is under way there is finished", async (t) => {
    const origin = await rawOrigin(t, (_, socket) => {
      answer = () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      asked.resolve();
    });
    let answer = (): boolean => assert.fail("no request came");
    const asked = Promise.withResolvers<void>();
    const edge = await kind.start(t);
    const port = await freePort();
    const service = route(routeTo(origin.port).targets, { listener: { kind: "service", port, protocol: "http" } });
    await edge.apply({ set: [service], remove: [] });
    const pending = exchangeBytes(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await asked.promise;
    await edge.apply({ set: [], remove: [service.id] });
    const refused = net.connect(port, "127.0.0.1");
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ECONNREFUSED");
    answer();
    assert.match(await pending, /200 OK[\s\S]*connection: close/);
  });

  check("one address has so many connections, and another one its own", async (t) => {
    const origin = await rawOrigin(t, (soFar, socket) => soFar.endsWith("?") && socket.write("!"));
    const edge = await kind.start(t, { connectionsPerClient: 2 });
    const port = await freePort();
    const listener = { kind: "port", port, protocol: "tcp" } as const;
    const targets = [{ release: 1, weight: 1, endpoints: [endpoint(origin.port)] }];
    await edge.apply({ set: [route(targets, { listener, policy: { proxyProtocol: { from: true } } })], remove: [] });
    const connect = (source: string) => {
      const client = new RawClient(port);
      t.after(() => client.socket.destroy());
      const [family, to] = source.includes(":") ? ["TCP6", "2001:db8::9"] : ["TCP4", "192.0.2.9"];
      client.write(`PROXY ${family} ${source} ${to} 40000 443\r\n?`);
      return client;
    };
    for (const [first, same, other] of [
      ["192.0.2.1", "192.0.2.1", "192.0.2.2"],
      ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"],
    ] as const) {
      const clients = [connect(first), connect(same)];
      for (const client of clients) await client.until("!");
      // Closed, or reset: what it sent is not read.
      await assert.rejects(connect(first).until("!"));
      await connect(other).until("!");
      clients[0]?.socket.destroy();
      const isAdmitted = () =>
        connect(same)
          .until("!")
          .then(
            () => true,
            () => false,
          );
      // When the router learns of the one that left is its own affair.
      while (!(await isAdmitted()));
    }
    // Loopback is whoever is on this machine: proxies, and apps that call each other.
    for (let i = 0; i < 4; i++) await connect("127.0.0.1").until("!");
  });

  check("a body in frames of one byte arrives whole", async (t) => {
    const body = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n".repeat(20);
    const origin = await rawOrigin(t, (soFar, socket) => soFar.endsWith("\r\n0\r\n\r\n") && socket.write(ok));
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const sent = [...body].map((byte, i) => frame(type.data, i === body.length - 1 ? endStream : 0, 1, byte));
    assert.equal(await exchangeFrames(edge.port, [post(), ...sent]), answered);
    const [head = "", ...rest] = (origin.received[0] ?? "").split("\r\n\r\n");
    assert.match(head, /^POST \/ HTTP\/1\.1\r\n[\s\S]*\r\ntransfer-encoding: chunked/);
    assert.equal(unchunked(rest.join("\r\n\r\n")), body);
  });
}

/** The body that chunks hold. */
function unchunked(text: string): string {
  let body = "";
  for (let at = 0; ; ) {
    const end = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (!(size > 0)) return body;
    body += text.slice(end + 2, end + 2 + size);
    at = end + 4 + size;
  }
}
