import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import type { TestContext } from "node:test";
import { defaultLimits, type Limits } from "../embedded/limits.ts";
import { edgeCertificate, testAuthority } from "../embedded/testing/certificates.ts";
import { exchangeBytes, host, RawClient, rawOrigin, routeTo, statusOf } from "../embedded/testing/edge.ts";
import type { Check } from "./contract.ts";
import type { RouterKind } from "./routers.ts";

/** Of all limits, for tests of one: its end only that one can bring. */
export const never: Partial<Limits> = {
  ...defaultLimits,
  headMs: 600_000,
  handshakeMs: 600_000,
  clientIdleMs: 600_000,
  bodyIdleMs: 600_000,
  answerMs: 600_000,
  answerIdleMs: 600_000,
  lingerMs: 1,
  sweepMs: 5,
};
const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const closing = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

/** Writes a byte each millisecond until the connection closes; resolves with what came back. */
export async function drip(t: TestContext, port: number, start: string, byte = "x"): Promise<string> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  let answer = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => (answer += bytes.toString("latin1")));
  socket.write(start, "latin1");
  const timer = setInterval(() => socket.writable && socket.write(byte, "latin1"), 1);
  t.after(() => clearInterval(timer));
  await new Promise((resolve) => socket.once("close", resolve));
  clearInterval(timer);
  return answer;
}

/** Answers without an end, until nobody takes them. */
const pour = (_: string, socket: net.Socket) => {
  const piece = Buffer.alloc(65_536, "x");
  socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", more);
  more();
};

/** What ends it, and how: to HAProxy an app that has the head is to answer, whatever of the body is missing. */
function bodyThatStops({ name }: RouterKind): readonly [Partial<Limits>, status: number] {
  return name === "haproxy" ? [{ answerMs: 50 }, 504] : [{ bodyIdleMs: 1 }, 408];
}

/** An app whose answers never end, behind a router that waits for readers no longer than a moment. `gone`: the app's connection has ended. */
async function startPouring(t: TestContext, kind: RouterKind) {
  const gone = Promise.withResolvers<void>();
  const origin = await rawOrigin(t, (soFar, socket) => {
    socket.once("close", () => gone.resolve());
    pour(soFar, socket);
  });
  const edge = await kind.start(t, { limits: { ...never, answerIdleMs: 50 } });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  return { edge, gone: gone.promise };
}

/** Clients and apps that take their time on purpose, at any router. */
export function slowContract(kind: RouterKind, check: Check): void {
  check("a head that drips has the time of a head, however steadily it drips", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t, { limits: { ...never, headMs: 50 } });
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    assert.equal(statusOf(await drip(t, edge.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nX: `)), 408);
    assert.deepEqual(origin.received, []);
  });

  check("the head of a later request has no more time than the first one's", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t, { limits: { ...never, headMs: 300 } });
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const answer = await drip(t, edge.port, `${request}GET /second`);
    assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 408"]);
  });

  check("who connects and says nothing is let go, and so is who has nothing more to say", async (t) => {
    const origin = await rawOrigin(t);
    const silent = await kind.start(t, { limits: { ...never, headMs: 1 } });
    assert.match(await exchangeBytes(silent.port, ""), kind.name === "haproxy" ? /^HTTP\/1\.1 408 / : /^$/);
    const idle = await kind.start(t, { limits: { ...never, clientIdleMs: 1 } });
    await idle.apply({ set: [routeTo(origin.port)], remove: [] });
    assert.equal(statusOf(await exchangeBytes(idle.port, request)), 200);
  });

  check("a body that stops is refused, in chunks too, and the app's instance is free again", async (t) => {
    const gone = Promise.withResolvers<void>();
    const origin = await rawOrigin(t, (_, socket) => socket.once("close", () => gone.resolve()));
    const [limits, status] = bodyThatStops(kind);
    const edge = await kind.start(t, { limits: { ...never, ...limits } });
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    for (const start of ["Content-Length: 100\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"])
      assert.equal(statusOf(await exchangeBytes(edge.port, `POST / HTTP/1.1\r\nHost: ${host}\r\n${start}`)), status);
    await gone.promise;
  });

  check("a client that does not read its answer is cut, and the app's instance is free again", async (t) => {
    const { edge, gone } = await startPouring(t, kind);
    const client = net.connect(edge.port, "127.0.0.1");
    client.on("error", () => {});
    t.after(() => client.destroy());
    client.write(request);
    client.pause();
    await gone;
    client.resume();
    await new Promise((resolve) => client.once("close", resolve));
  });

  check("an app that stops in its answer is cut, and the client learns that the answer is not whole", async (t) => {
    const origin = await rawOrigin(t, (_, socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"));
    // HAProxy has one limit for an answer and for the pieces of it.
    const edge = await kind.start(t, { limits: { ...never, answerIdleMs: kind.name === "haproxy" ? 2_000 : 1 } });
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const answer = await exchangeBytes(edge.port, request);
    assert.match(answer, /hello/);
    assert.doesNotMatch(answer, /\r\n0\r\n/);
  });

  check("a handshake of TLS that says nothing, stops or drips is cut", async (t) => {
    const edge = await kind.start(t, { tls: true, limits: { ...never, handshakeMs: 50 } });
    await edge.certify({ set: [await edgeCertificate(await testAuthority(), [host])], remove: [] });
    const start = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    assert.equal(await exchangeBytes(edge.tlsPort, ""), "");
    assert.doesNotMatch(await exchangeBytes(edge.tlsPort, start), /HTTP/);
    assert.doesNotMatch(await drip(t, edge.tlsPort, start), /HTTP/);
  });

  check("a connection of HTTP/2 without a request has its end", async (t) => {
    const edge = await kind.start(t, { limits: { ...never, headMs: 50, clientIdleMs: 50 } });
    const nothing = http2.connect(`http://127.0.0.1:${edge.port}`);
    nothing.on("error", () => {});
    await once(nothing, "close");
  });

  check("a request of HTTP/2 whose body never comes is refused", async (t) => {
    const origin = await rawOrigin(t, () => {});
    const [limits, status] = bodyThatStops(kind);
    const edge = await kind.start(t, { limits: { ...never, ...limits } });
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const session = http2.connect(`http://127.0.0.1:${edge.port}`);
    t.after(() => session.destroy());
    const stream = session.request({ ":authority": host, ":method": "POST" });
    stream.on("error", () => {});
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader];
    assert.equal(headers[":status"], status);
    stream.close();
  });

  check("a client of HTTP/2 that opens no window for its answer is cut, and the app's instance is free again", async (t) => {
    const { edge, gone } = await startPouring(t, kind);
    const session = http2.connect(`http://127.0.0.1:${edge.port}`, { settings: { initialWindowSize: 0 } });
    t.after(() => session.destroy());
    const stream = session.request({ ":authority": host });
    stream.on("error", () => {});
    await gone;
  });

  check("clients that take their time cost nobody else anything", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t, { limits: never });
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const slow = Array.from({ length: 200 }, () => new RawClient(edge.port));
    for (const [i, client] of slow.entries())
      client.write(i % 2 === 0 ? "GET / HT" : `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 9\r\n\r\nx`);
    for (let i = 0; i < 20; i++) assert.equal(statusOf(await exchangeBytes(edge.port, closing)), 200);
    for (const { socket } of slow) socket.destroy();
  });
}
