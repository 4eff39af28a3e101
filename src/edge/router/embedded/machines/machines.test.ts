import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { type TestContext, test } from "node:test";
import tls from "node:tls";
import { freePort } from "#host/testing/free-ports.ts";
import type { MachineIdentity } from "#model/certificates.ts";
import { hasCode } from "#model/errors.ts";
import type { Endpoint, Route } from "#model/routing-table.ts";
import type { Router } from "../../router.ts";
import { embedded, haproxy, haproxyMissing, type RouterKind } from "../../testing/routers.ts";
import { type TestAuthority, testAuthority } from "../testing/certificates.ts";
import { endpoint, exchangeBytes, ok, RawClient, rawOrigin, route, startEdge, statusOf } from "../testing/edge.ts";

const names = { here: "m1.00.machine.drover", there: "m2.00.machine.drover" } as const;
const both = [names.here, names.there];

/** Two machines' edges, of which one sends to the instances of the other. */
async function startTwo(t: TestContext, kind: RouterKind = embedded) {
  const authority = await testAuthority("Drover machines");
  const port = await freePort();
  const here = await startEdge(t, { holdMs: 50 });
  const there = await kind.start(t);
  const identify = async (edge: Router, name: string, members: readonly string[] = both) =>
    edge.certify({ set: [], remove: [], identity: await identityOf(authority, name, name === names.there ? port : 0, members) });
  await identify(here, names.here);
  await identify(there, names.there);
  const at = (instance: number): Endpoint => ({ ...endpoint(instance), entry: { name: names.there, port } });
  return { authority, port, here, there, identify, at };
}

async function identityOf(authority: TestAuthority, name: string, port: number, members: readonly string[]): Promise<MachineIdentity> {
  const { cert, key } = await authority.issue({ kind: "machine", host: name });
  return { name, chain: cert, key, authority: authority.cert, entry: { host: "127.0.0.1", port }, members };
}

function to(...endpoints: readonly Endpoint[]): Route {
  return route([{ release: 1, weight: 1, endpoints }]);
}

/** Where the ports of instances are. */
async function instancePort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 9_000); ; port++) {
    const probe = net.createServer().listen(port, "127.0.0.1");
    try {
      await once(probe, "listening");
      await new Promise((resolve) => probe.close(resolve));
      return port;
    } catch (error) {
      if (!hasCode(error, "EADDRINUSE")) throw error;
    }
  }
}

const get = "GET / HTTP/1.1\r\nhost: app.test\r\n\r\n";
const last = "GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n";

test("requests to another machine's instance go over one connection, which is kept, and the instance sees nothing of it", async (t) => {
  const { here, at } = await startTwo(t);
  const origin = await rawOrigin(t, undefined, await instancePort());
  await here.apply({ set: [to(at(origin.port))], remove: [] });
  for (let i = 0; i < 3; i++) assert.equal(statusOf(await exchangeBytes(here.port, last)), 200);
  assert.equal(origin.received.length, 1, "the instance got one connection");
  assert.match(origin.received[0] ?? "", /^GET \/ HTTP\/1\.1\r\n/);
});

test("an edge of HAProxy takes what other machines send to its instances, from members alone", {
  skip: await haproxyMissing(),
}, async (t) => {
  const { here, there, identify, at } = await startTwo(t, haproxy);
  const origin = await rawOrigin(t, undefined, await instancePort());
  await here.apply({ set: [to(at(origin.port))], remove: [] });
  assert.equal(statusOf(await exchangeBytes(here.port, last)), 200);
  assert.deepEqual(there.problems(), []);
  await identify(there, names.there, [names.there]);
  assert.notEqual(statusOf(await exchangeBytes(here.port, last)), 200);
});

test("an instance that takes no connections is no instance: another one gets the request, even one that cannot be repeated", async (t) => {
  const { here, at } = await startTwo(t);
  const gone = await instancePort();
  const answers: string[] = [];
  const origin = await rawOrigin(t, (soFar, socket) => soFar.endsWith("body") && answers.push(soFar) && socket.write(ok), gone + 1);
  await here.apply({ set: [to(at(gone), at(origin.port))], remove: [] });
  const post = "POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody";
  for (let i = 0; i < 4; i++) assert.equal(statusOf(await exchangeBytes(here.port, post)), 200);
  assert.equal(answers.length, 4);
});

const upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
/** For the key of RFC 6455, section 1.3. */
const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

test("WebSockets and TCP services go both ways, and half-closed too", async (t) => {
  const { here, at } = await startTwo(t);
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const text = bytes.toString("latin1");
      socket.write(
        text.startsWith("GET")
          ? `HTTP/1.1 101 Switching Protocols\r\n${upgrade}sec-websocket-accept: ${accept}\r\n\r\n`
          : text.toUpperCase(),
      );
    });
    socket.on("end", () => socket.end("the end"));
  });
  echo.listen(await instancePort(), "127.0.0.1");
  await once(echo, "listening");
  t.after(() => echo.close());
  const { port } = echo.address() as net.AddressInfo;
  const service = await freePort();
  const listener = { kind: "service", port: service, protocol: "tcp" } as const;
  const targets = [{ release: 1, weight: 1, endpoints: [at(port)] }];
  await here.apply({ set: [to(at(port)), route(targets, { id: "tcp", listener })], remove: [] });

  const socket = new RawClient(here.port);
  socket.write(
    `GET / HTTP/1.1\r\nhost: app.test\r\n${upgrade}sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  await socket.until("\r\n\r\n");
  socket.write("hello");
  await socket.until("HELLO");
  socket.socket.destroy();

  const client = net.connect({ port: service, host: "127.0.0.1", allowHalfOpen: true });
  client.end("tcp");
  const parts: Buffer[] = await client.toArray();
  assert.equal(Buffer.concat(parts).toString(), "TCPthe end");
});

test("instances that speak HTTP/2 are reached by it", async (t) => {
  const { here, at } = await startTwo(t);
  const app = http2.createServer();
  app.on("stream", (stream) => {
    stream.respond({ ":status": 200 });
    stream.end("by h2");
  });
  app.listen(await instancePort(), "127.0.0.1");
  await once(app, "listening");
  t.after(() => app.close());
  const { port } = app.address() as net.AddressInfo;
  await here.apply({ set: [{ ...to(at(port)), policy: { upstream: { protocol: "h2c" } } }], remove: [] });
  const session = http2.connect(`http://127.0.0.1:${here.port}`);
  t.after(() => session.destroy());
  for (let i = 0; i < 2; i++) {
    const stream = session.request({ ":authority": "app.test", ":path": "/" });
    const parts: Buffer[] = await stream.toArray();
    assert.equal(Buffer.concat(parts).toString(), "by h2");
  }
});

test("who is not of the fleet is not let in, and what is no instance is not led to", async (t) => {
  const { authority, port } = await startTwo(t);
  const instance = await rawOrigin(t, undefined, await instancePort());
  const elsewhere = await rawOrigin(t);
  const own = await authority.issue({ kind: "machine", host: names.here });
  const removed = await authority.issue({ kind: "machine", host: "m3.00.machine.drover" });
  const stranger = await (await testAuthority("Drover machines")).issue({ kind: "machine", host: names.here });
  const ask = async (with_: { readonly cert?: string; readonly key?: string }, name: string): Promise<string> => {
    const socket = tls.connect({
      ...with_,
      ca: authority.cert,
      host: "127.0.0.1",
      port,
      servername: name,
      checkServerIdentity: () => undefined,
    });
    socket.on("error", () => {});
    socket.on("secureConnect", () => socket.write(get));
    socket.setTimeout(5_000, () => socket.destroy());
    let got = "";
    socket.on("data", (bytes) => {
      got += bytes;
      socket.destroy();
    });
    await new Promise((resolve) => socket.once("close", resolve));
    return got;
  };
  const instanceName = `${instance.port}.${names.there}`;
  assert.match(await ask(own, instanceName), /200 OK/);
  assert.equal(await ask({}, instanceName), "", "nobody without a certificate");
  assert.equal(await ask(stranger, instanceName), "", "nobody whom another authority has certified");
  assert.equal(await ask(removed, instanceName), "", "nobody who is no member any more");
  assert.equal(await ask(own, `${elsewhere.port}.${names.there}`), "", "nothing else that listens on loopback");
  assert.equal(await ask(own, `${instance.port}.${names.here}`), "", "not what is meant for another machine");
  assert.equal(elsewhere.received.length, 0);
  assert.equal(instance.received.filter((text) => text !== "").length, 1);
  const plain = net.connect({ port, host: "127.0.0.1" });
  plain.on("error", () => {});
  plain.write(get);
  await new Promise((resolve) => plain.once("close", resolve));
});

test("a new certificate cuts nothing, and the end of a membership ends what is open, at both ends", async (t) => {
  const { here, there, identify, at } = await startTwo(t);
  const app = await rawOrigin(
    t,
    (soFar, socket) => soFar.endsWith("\r\n\r\n") && socket.write("HTTP/1.1 200 OK\r\n\r\nbegin "),
    await instancePort(),
  );
  await here.apply({ set: [to(at(app.port))], remove: [] });
  const open = async () => {
    const client = new RawClient(here.port);
    client.write(get);
    await client.until("begin ");
    return client;
  };
  const first = await open();
  await identify(here, names.here);
  await identify(there, names.there);
  const second = await open();
  assert.equal(first.socket.closed, false);
  await identify(there, names.there, [names.there]);
  await Promise.all([first.closed(), second.closed()]);
  assert.notEqual(statusOf(await exchangeBytes(here.port, last)), 200, "nor is it let in again");

  await identify(there, names.there);
  const third = await open();
  await identify(here, names.here, [names.here]);
  await third.closed();
});
