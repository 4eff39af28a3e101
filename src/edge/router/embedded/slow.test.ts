import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { drip, never } from "../testing/slow-contract.ts";
import { exchangeBytes, host, ok, rawOrigin, routeTo, startEdge, statusOf } from "./testing/edge.ts";

/*
 * Clients and apps that take their time on purpose, where this router has limits that the other has not; src/edge/router/testing/slow-contract.ts has what both
 * end. Each test waits for an end that only the limit at hand can bring.
 */

test("a body that drips has the time of its route's whole request", async (t) => {
  const origin = await rawOrigin(t, () => {});
  const edge = await startEdge(t, { ...never, requestMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const answer = await drip(t, edge.port, `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000\r\n\r\n`);
  assert.equal(statusOf(answer), 408);
});

test("a body that drips more slowly than its least rate is refused, which the access log says, and is carried where its route wants none", async (t) => {
  const gone = Promise.withResolvers<void>();
  const lines: string[] = [];
  const origin = await rawOrigin(t, (_, socket) => socket.setMaxListeners(0).once("close", () => gone.resolve()));
  const edge = await startEdge(t, { ...never, bodyIdleMs: 200, bodyRate: 1_000_000 }, { print: (line) => lines.push(line) });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const post = `POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: `;
  const answer = await drip(t, edge.port, `${post}100000\r\n\r\n`);
  assert.equal(statusOf(answer), 408);
  assert.match(answer, /less than 1000000 bytes a second for 0\.2 s/);
  await gone.promise;
  const [logged] = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ message }) => message === "request");
  assert.equal(logged?.["status"], 408);
  assert.equal(logged["reason"], "the request's body came too slowly: less than 1000000 bytes a second for 0.2 s");
  assert.equal(logged["client"], "127.0.0.1");

  const patient = await rawOrigin(t, (soFar, socket) => soFar.endsWith("x".repeat(100)) && socket.write(ok));
  await edge.apply({ set: [{ ...routeTo(patient.port), policy: { limits: { bodyRate: 0, idleMs: 600_000 } } }], remove: [] });
  assert.equal(statusOf(await drip(t, edge.port, `${post}100\r\n\r\n`)), 200);
});

test("a body that waits for its app to take it is not the client's fault", async (t) => {
  const took = Promise.withResolvers<net.Socket>();
  const origin = await rawOrigin(t, (_, socket) => {
    // Of a large body it takes no more than its beginning.
    socket.pause();
    took.resolve(socket);
  });
  const edge = await startEdge(t, { ...never, bodyIdleMs: 300, bodyRate: 1 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const head = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000000\r\n\r\n`;
  const answer = exchangeBytes(edge.port, [head, ...Array.from({ length: 400 }, () => "x".repeat(100_000))]);
  await took.promise;
  assert.equal(statusOf(await answer), 504);
});

test("an app whose head drips has the time of an answer", async (t) => {
  const origin = await rawOrigin(t, (_, socket) => {
    socket.write("HTTP/1.1 200 OK\r\nX: ");
    const timer = setInterval(() => socket.write("x"), 1);
    socket.once("close", () => clearInterval(timer));
  });
  const edge = await startEdge(t, { ...never, answerMs: 50 });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)), 504);
});

test("a header of the PROXY protocol that stops is cut", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t, { ...never, headMs: 1 }, { trustedProxies: ["127.0.0.1"] });
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  for (const start of ["", "PROXY TCP4 192.0.2.1", "\r\n\r\n\0\r\nQUIT\n\x21\x11"]) assert.equal(await exchangeBytes(edge.port, start), "");
  assert.deepEqual(origin.received, []);
});

test("a client of HTTP/2 that never closes its side holds nothing for ever", async (t) => {
  const edge = await startEdge(t, { ...never, headMs: 1 });
  const socket = net.connect({ port: edge.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  socket.resume();
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
  await once(socket, "end");
  const timer = setInterval(() => socket.write("\0\0\x08\x06\0\0\0\0\0pingpong", "latin1"), 100);
  t.after(() => clearInterval(timer));
  await new Promise((resolve) => socket.once("close", resolve));
});
