import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import tls from "node:tls";
import type { Route, RouteUpstream } from "#model/routing-table.ts";
import { type TestAuthority, testAuthority } from "../testing/certificates.ts";
import { endpoint, exchangeBytes, ok, rawOrigin, route, routeTo, startEdge, statusOf } from "../testing/edge.ts";

const authority = await testAuthority();
const name = "inner.test";

interface App {
  readonly port: number;
  /** Whether each connection resumed a session. */
  readonly resumed: readonly boolean[];
}

/** An app that speaks TLS: echoes after an upgrade, and closes after each answer if asked for that. */
async function tlsApp(context: TestContext, issuer: TestAuthority = authority, closes = false): Promise<App> {
  const resumed: boolean[] = [];
  const sockets = new Set<tls.TLSSocket>();
  const server = tls.createServer(await issuer.issue({ kind: "server", hosts: [name] }), (socket) => {
    resumed.push(socket.isSessionReused());
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      if (/upgrade: echo/i.test(bytes.toString())) socket.write("HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      else if (!bytes.toString().startsWith("GET")) socket.write(bytes);
      else if (closes) socket.end(ok.replace("\r\n", "\r\nconnection: close\r\n"));
      else socket.write(ok);
    });
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as net.AddressInfo).port, resumed };
}

function secureRoute(upstream: Omit<RouteUpstream & { readonly protocol: "https" }, "protocol">, ...ports: readonly number[]): Route {
  const endpoints = ports.map((port) => endpoint(port));
  return route([{ release: 1, weight: 1, endpoints }], { policy: { upstream: { protocol: "https", ...upstream } } });
}

const get = "GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n";
const verified = { verify: true, caPem: authority.cert, serverName: name };

async function statusWith(context: TestContext, made: Route): Promise<number> {
  const edge = await startEdge(context);
  await edge.apply({ set: [made], remove: [] });
  return statusOf(await exchangeBytes(edge.port, get));
}

test("an app with a certificate of the route's authority is spoken to over TLS, on a connection that is kept", async (t) => {
  const app = await tlsApp(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [secureRoute(verified, app.port)], remove: [] });
  for (let i = 0; i < 3; i++) assert.match(await exchangeBytes(edge.port, get), /^HTTP\/1\.1 200 .*ok$/s);
  assert.deepEqual(app.resumed, [false]);
});

test("a further connection to an app resumes the session of the one before", async (t) => {
  const app = await tlsApp(t, authority, true);
  const edge = await startEdge(t);
  await edge.apply({ set: [secureRoute(verified, app.port)], remove: [] });
  for (let i = 0; i < 2; i++) assert.equal(statusOf(await exchangeBytes(edge.port, get)), 200);
  assert.deepEqual(app.resumed, [false, true]);
});

test("an app whose certificate is another authority's, for another name, or missing gets no request", async (t) => {
  const app = await tlsApp(t);
  const stranger = await tlsApp(t, await testAuthority("Other"));
  const plain = await rawOrigin(t, (_bytes, socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  assert.equal(await statusWith(t, secureRoute(verified, stranger.port)), 502);
  assert.equal(await statusWith(t, secureRoute({ ...verified, serverName: "other.test" }, app.port)), 502);
  assert.equal(await statusWith(t, secureRoute({ verify: true, serverName: name }, app.port)), 502, "the machine's authorities");
  assert.equal(await statusWith(t, secureRoute({ verify: true, caPem: authority.cert }, app.port)), 502, "its address is its name");
  assert.equal(await statusWith(t, secureRoute({ ...verified, caPem: "nonsense" }, app.port)), 502);
  assert.equal(await statusWith(t, secureRoute(verified, plain.port)), 502);
  assert.ok(plain.received.every((bytes) => !bytes.includes("GET")));
});

test("an instance that is trusted serves in place of one that is not", async (t) => {
  const app = await tlsApp(t);
  const stranger = await tlsApp(t, await testAuthority("Other"));
  const edge = await startEdge(t);
  await edge.apply({ set: [secureRoute(verified, stranger.port, app.port)], remove: [] });
  for (let i = 0; i < 4; i++) assert.equal(statusOf(await exchangeBytes(edge.port, get)), 200);
});

test("without verification any certificate does", async (t) => {
  const stranger = await tlsApp(t, await testAuthority("Other"));
  assert.equal(await statusWith(t, secureRoute({ verify: false }, stranger.port)), 200);
});

test("a kept connection that was made by other rules is not used", async (t) => {
  const stranger = await tlsApp(t, await testAuthority("Other"));
  const edge = await startEdge(t);
  await edge.apply({ set: [secureRoute({ verify: false }, stranger.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, get)), 200);
  await edge.apply({ set: [secureRoute(verified, stranger.port)], remove: [] });
  assert.equal(statusOf(await exchangeBytes(edge.port, get)), 502);
  await edge.apply({ set: [routeTo(stranger.port)], remove: [] });
  assert.notEqual(statusOf(await exchangeBytes(edge.port, get)), 200, "plain text over a plain connection");
});

test("upgraded connections go over TLS too", async (t) => {
  const app = await tlsApp(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [secureRoute(verified, app.port)], remove: [] });
  const upgrade = "GET / HTTP/1.1\r\nhost: app.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
  const socket = net.connect(edge.port, "127.0.0.1").setEncoding("latin1");
  t.after(() => socket.destroy());
  socket.write(upgrade);
  assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 101/);
  socket.write("ping");
  assert.equal((await once(socket, "data"))[0], "ping");
});
