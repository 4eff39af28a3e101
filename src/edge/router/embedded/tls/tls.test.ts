import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import tls from "node:tls";
import type { CertificateChange } from "#model/certificates.ts";
import type { Listener, Route, RoutePolicy } from "#model/routing-table.ts";
import type { EmbeddedRouter } from "../embedded-router.ts";
import { edgeCertificate, type TestAuthority, testAuthority } from "../testing/certificates.ts";
import { endpoint, exchangeBytes, ok, rawOrigin, route, startEdge, statusOf } from "../testing/edge.ts";

const ticketKeys = Buffer.alloc(48, 7).toString("base64");
const authority = await testAuthority();

function routeAt(port: number, host: string, policy?: RoutePolicy, listener: Listener = { kind: "public", host, path: "/" }): Route {
  const plain = route([{ release: 1, weight: 1, endpoints: [endpoint(port)] }], { id: `${host} ${JSON.stringify(listener)}`, listener });
  return policy === undefined ? plain : { ...plain, policy };
}

async function startTlsEdge(context: TestContext, routes: readonly Route[], change: Partial<CertificateChange>): Promise<EmbeddedRouter> {
  const edge = await startEdge(context);
  await edge.apply({ set: routes, remove: [] });
  await edge.openTls("127.0.0.1", 0);
  await edge.certify({ set: [], remove: [], ticketKeys, ...change });
  return edge;
}

interface Client {
  readonly host?: string;
  readonly servername?: string | null;
  readonly options?: tls.ConnectionOptions;
}

/** Connects and completes the handshake; rejects with the error of either side's refusal. */
async function connect(edge: EmbeddedRouter, servername: string | null, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const name = servername === null ? {} : { servername };
  const socket = tls.connect({ host: "127.0.0.1", port: edge.tlsPort, ca: authority.cert, ...name, ...options });
  await once(socket, "secureConnect");
  return socket;
}

/** One request on a connection of its own; returns all that comes back. */
async function get(edge: EmbeddedRouter, servername: string, { host = servername, options = {} }: Client = {}): Promise<string> {
  const socket = await connect(edge, servername, options);
  let answer = "";
  socket.on("data", (bytes) => (answer += bytes));
  socket.on("error", () => {});
  socket.write(
    `GET /a?b HTTP/1.1\r\nhost: ${host}\r\nx-client-cert-subject: CN=forged\r\nclient-cert: :forged:\r\nconnection: close\r\n\r\n`,
  );
  await once(socket, "close");
  return answer;
}

test("each host is served with its own certificate, a wildcard's where there is none", async (t) => {
  const origin = await rawOrigin(t);
  const routes = ["app.test", "a.w.test", "b.w.test"].map((host) => routeAt(origin.port, host));
  const set = await Promise.all([
    edgeCertificate(authority, ["app.test"]),
    edgeCertificate(authority, ["*.w.test"]),
    edgeCertificate(authority, ["b.w.test"]),
  ]);
  const edge = await startTlsEdge(t, routes, { set });
  for (const [host, names] of [
    ["app.test", "DNS:app.test"],
    ["a.w.test", "DNS:*.w.test"],
    ["b.w.test", "DNS:b.w.test"],
  ] as const) {
    const socket = await connect(edge, host);
    assert.equal(socket.getPeerX509Certificate()?.subjectAltName, names);
    socket.destroy();
    assert.equal(statusOf(await get(edge, host)), 200);
  }
  assert.match(origin.received.join(""), /x-forwarded-proto: https\r\n/);
});

test("a name without a certificate, no name, and old protocols get no handshake", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startTlsEdge(t, [routeAt(origin.port, "app.test")], { set: [await edgeCertificate(authority, ["app.test"])] });
  await assert.rejects(connect(edge, "other.test"), /handshake failure/);
  await assert.rejects(connect(edge, null), /handshake failure/);
  await assert.rejects(connect(edge, "app.test", { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }), /version/);
  await assert.rejects(
    connect(edge, "app.test", { maxVersion: "TLSv1.2", ciphers: "AES128-SHA256:AES256-GCM-SHA384" }),
    /handshake failure/,
  );
  await assert.rejects(connect(edge, "app.test", { ALPNProtocols: ["spdy/3"] }), /no application protocol/i);
});

test("the cheapest good cipher is chosen, which is another one for clients without AES in hardware", async (t) => {
  const edge = await startTlsEdge(t, [], { set: [await edgeCertificate(authority, ["app.test"])] });
  const chosenOf = async (ciphers: string): Promise<string> => {
    const socket = await connect(edge, "app.test", { ciphers });
    const { name } = socket.getCipher();
    socket.destroy();
    return name;
  };
  const [strong, fast, chacha] = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"];
  assert.equal(await chosenOf(`${strong}:${fast}:${chacha}`), fast);
  assert.equal(await chosenOf(`${chacha}:${strong}:${fast}`), chacha);
  assert.equal(await chosenOf(strong), strong);
});

test("a certificate is changed and taken away without a restart; open connections go on", async (t) => {
  const origin = await rawOrigin(t);
  const first = await edgeCertificate(authority, ["app.test"]);
  const edge = await startTlsEdge(t, [routeAt(origin.port, "app.test")], { set: [first] });
  const open = await connect(edge, "app.test");
  const second = await edgeCertificate(authority, ["app.test"]);
  await edge.certify({ set: [second], remove: [] });
  const later = await connect(edge, "app.test");
  assert.equal(later.getPeerX509Certificate()?.toString().trim(), second.chain.trim());
  later.destroy();
  open.write("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
  assert.equal(String((await once(open, "data"))[0]), ok);
  open.destroy();
  await edge.certify({ set: [], remove: [second.id] });
  await assert.rejects(connect(edge, "app.test"), /handshake failure/);
});

test("a request for a host that the connection's certificate is not for is refused with 421", async (t) => {
  const origin = await rawOrigin(t);
  const routes = ["app.test", "other.test", "a.w.test", "b.w.test"].map((host) => routeAt(origin.port, host));
  const set = await Promise.all([["app.test"], ["other.test"], ["*.w.test"]].map((hosts) => edgeCertificate(authority, hosts)));
  const edge = await startTlsEdge(t, routes, { set });
  for (const [name, host, status] of [
    ["app.test", "other.test", 421],
    ["app.test", "unknown.test", 421],
    ["a.w.test", "app.test", 421],
    ["a.w.test", "b.w.test", 200],
    ["app.test", "APP.test.:8443", 200],
  ] as const)
    assert.equal(statusOf(await get(edge, name, { host })), status, `${name} ${host}`);
  assert.equal(origin.received.join("").split("GET /a").length - 1, 2);
});

test("plain HTTP is sent on to HTTPS where browsers trust the certificate, or where the route says so", async (t) => {
  const origin = await rawOrigin(t);
  const hosts: readonly (readonly [string, boolean, RoutePolicy | undefined, number])[] = [
    ["own.test", false, undefined, 200],
    ["trusted.test", true, undefined, 308],
    ["both.test", true, { tls: { mode: "both" } }, 200],
    ["redirect.test", false, { tls: { mode: "redirect" } }, 308],
    ["off.test", true, { tls: { mode: "off" } }, 200],
  ];
  const routes = hosts.map(([host, , policy]) => routeAt(origin.port, host, policy));
  const set = await Promise.all(hosts.map(([host, isTrusted]) => edgeCertificate(authority, [host], isTrusted)));
  const edge = await startTlsEdge(t, routes, { set });
  for (const [host, , , status] of hosts) {
    const answer = await exchangeBytes(edge.port, `GET /a?b HTTP/1.1\r\nhost: ${host}:1\r\nconnection: close\r\n\r\n`, { end: true });
    assert.equal(statusOf(answer), status, host);
    if (status === 308) assert.match(answer, new RegExp(`\r\nlocation: https://${host}:${edge.tlsPort}/a\\?b\r\n`));
  }
  assert.equal(statusOf(await get(edge, "off.test")), 421);
});

test("Strict-Transport-Security is said over TLS alone", async (t) => {
  const origin = await rawOrigin(t);
  const policy = { tls: { mode: "both", hstsMs: 31_536_000_000 } } as const;
  const edge = await startTlsEdge(t, [routeAt(origin.port, "app.test", policy)], { set: [await edgeCertificate(authority, ["app.test"])] });
  assert.match(await get(edge, "app.test"), /\r\nstrict-transport-security: max-age=31536000\r\n/);
  const plain = await exchangeBytes(edge.port, "GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n", { end: true });
  assert.doesNotMatch(plain, /strict-transport/);
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a session that one edge began is resumed by another with the same ticket keys (${version})`, async (t) => {
    const origin = await rawOrigin(t);
    const set = [await edgeCertificate(authority, ["app.test"])];
    const start = (keys: string) => startTlsEdge(t, [routeAt(origin.port, "app.test")], { set, ticketKeys: keys });
    const edges = [await start(ticketKeys), await start(ticketKeys), await start(Buffer.alloc(48, 8).toString("base64"))] as const;
    const session = await sessionOf(edges[0], "app.test", { maxVersion: version });
    const reused: boolean[] = [];
    for (const edge of edges) {
      const socket = await connect(edge, "app.test", { maxVersion: version, session });
      reused.push(socket.isSessionReused());
      socket.destroy();
    }
    assert.deepEqual(reused, [true, true, false]);
  });
}

async function sessionOf(edge: EmbeddedRouter, servername: string, options: tls.ConnectionOptions): Promise<Buffer> {
  const socket = tls.connect({ host: "127.0.0.1", port: edge.tlsPort, ca: authority.cert, servername, ...options });
  socket.write(`GET / HTTP/1.1\r\nhost: ${servername}\r\n\r\n`);
  const [session] = (await once(socket, "session")) as [Buffer];
  socket.destroy();
  return session;
}

async function mutualEdge(context: TestContext, clients: TestAuthority, more: readonly Route[] = []) {
  const origin = await rawOrigin(context);
  const policy: RoutePolicy = { tls: { client: { caPem: clients.cert } } };
  const routes = [routeAt(origin.port, "private.test", policy), routeAt(origin.port, "open.test"), ...more];
  const set = await Promise.all(["private.test", "open.test"].map((host) => edgeCertificate(authority, [host])));
  return { origin, edge: await startTlsEdge(context, routes, { set }) };
}

test("a route with a client authority lets in who has a certificate of it, and tells the app who that is", async (t) => {
  const clients = await testAuthority("Clients");
  const { origin, edge } = await mutualEdge(t, clients);
  const alice = await clients.issue({ kind: "client", hosts: [] }, "alice, of\r\nx-evil: 1 é%");
  assert.equal(statusOf(await get(edge, "private.test", { options: alice })), 200);
  const [head = ""] = origin.received;
  assert.match(head, /\r\nx-client-cert-subject: CN=alice\\, of[^\r]*%C3%A9%25\r\n/);
  assert.match(head, /\r\nx-client-cert-fingerprint: [0-9a-f]{64}\r\n/);
  assert.doesNotMatch(head, /forged|\nx-evil/);
});

test("without a certificate, with a foreign or a server's one, and over plain HTTP nobody gets to such a route", async (t) => {
  const [clients, strangers] = [await testAuthority("Clients"), await testAuthority("Clients")];
  const { origin, edge } = await mutualEdge(t, clients);
  for (const options of [
    {},
    await strangers.issue({ kind: "client", hosts: [] }),
    await clients.issue({ kind: "server", hosts: ["private.test"] }),
  ])
    assert.equal(statusOf(await get(edge, "private.test", { options })), 403);
  assert.equal(statusOf(await get(edge, "open.test", { host: "private.test" })), 421);
  const plain = await exchangeBytes(edge.port, "GET / HTTP/1.1\r\nhost: private.test\r\nconnection: close\r\n\r\n", { end: true });
  assert.equal(statusOf(plain), 308);
  assert.deepEqual(origin.received, []);
  assert.equal(statusOf(await get(edge, "open.test")), 200);
  assert.doesNotMatch(origin.received[0] ?? "", /client-cert/);
});

test("a certificate on the authority's list of revoked ones is refused from then on, also where its session began before", async (t) => {
  const clients = await testAuthority("Clients");
  const [alice, bob] = [
    await clients.issue({ kind: "client", hosts: [] }, "alice"),
    await clients.issue({ kind: "client", hosts: [] }, "bob"),
  ];
  const { origin, edge } = await mutualEdge(t, clients);
  const setList = (crlPem: string) =>
    edge.apply({ set: [routeAt(origin.port, "private.test", { tls: { client: { caPem: clients.cert, crlPem } } })], remove: [] });
  const statusFor = async (options: tls.ConnectionOptions) => statusOf(await get(edge, "private.test", { options }));
  await setList(clients.revoke([]));
  assert.deepEqual([await statusFor(alice), await statusFor(bob)], [200, 200]);
  const session = await sessionOf(edge, "private.test", alice);
  const open = await connect(edge, "private.test", alice);
  open.on("error", () => {});

  await setList(clients.revoke([alice.cert]));
  const refused = await get(edge, "private.test", { options: alice });
  assert.equal(statusOf(refused), 403);
  assert.match(refused, /CERT_REVOKED|revoked/);
  assert.equal(
    statusOf(await get(edge, "private.test", { options: { ...alice, session } })),
    403,
    "a session is not resumed past the list",
  );
  assert.equal(await statusFor(bob), 200);
  // A connection that was made by the old list has to be made again.
  open.write("GET / HTTP/1.1\r\nhost: private.test\r\n\r\n");
  const [answer] = (await once(open, "data")) as [Buffer];
  assert.equal(statusOf(answer.toString()), 421);
  open.destroy();
  assert.equal(origin.received.join("").match(/CN=alice/g)?.length, 2, "only what came before the list has reached the app");
});

test("a list of revoked certificates that is out of date, or another authority's, lets nobody in", async (t) => {
  const clients = await testAuthority("Clients");
  const alice = await clients.issue({ kind: "client", hosts: [] }, "alice");
  const { origin, edge } = await mutualEdge(t, clients);
  for (const crlPem of [
    clients.revoke([], Date.now() - 3_600_000),
    (await testAuthority("Clients")).revoke([]),
    (await testAuthority("Others")).revoke([]),
  ]) {
    await edge.apply({ set: [routeAt(origin.port, "private.test", { tls: { client: { caPem: clients.cert, crlPem } } })], remove: [] });
    assert.equal(statusOf(await get(edge, "private.test", { options: alice })), 403);
  }
  assert.deepEqual(origin.received, []);
  assert.equal(statusOf(await get(edge, "open.test")), 200);
});

test("a session that was begun without a certificate is not resumed where one is asked for", async (t) => {
  const clients = await testAuthority("Clients");
  const { edge } = await mutualEdge(t, clients);
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const session = await sessionOf(edge, "open.test", { maxVersion });
    const socket = await connect(edge, "private.test", { maxVersion, session });
    assert.equal(socket.isSessionReused(), false);
    socket.destroy();
    assert.equal(statusOf(await get(edge, "private.test", { options: { session, maxVersion } })), 403);
  }
});

test("connections that ask for a passthrough host reach the app as they are", async (t) => {
  const own = await testAuthority("App");
  const app = tls.createServer(await own.issue({ kind: "server", hosts: ["pass.test", "x.pass.test"] }), (socket) =>
    socket.end("from the app"),
  );
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  t.after(() => app.close());
  const origin = await rawOrigin(t);
  const { port } = app.address() as net.AddressInfo;
  const routes = ["pass.test", "*.pass.test"].map((host) => routeAt(port, host, undefined, { kind: "passthrough", host }));
  const set = [await edgeCertificate(authority, ["app.test"])];
  const edge = await startTlsEdge(t, [...routes, routeAt(origin.port, "app.test")], { set });
  for (const host of ["pass.test", "x.pass.test"]) {
    const socket = await connect(edge, host, { ca: own.cert });
    assert.equal(String((await once(socket, "data"))[0]), "from the app");
    socket.destroy();
  }
  assert.equal(statusOf(await get(edge, "app.test")), 200, "others are still ended here");
  await edge.apply({ set: [], remove: routes.map(({ id }) => id) });
  await assert.rejects(connect(edge, "pass.test", { ca: own.cert }), /handshake failure/);
});

test("an authority sees its challenges: over plain HTTP, and in a handshake of its own", async (t) => {
  const origin = await rawOrigin(t);
  const shown = await authority.issue({ kind: "challenge", host: "app.test", digest: Buffer.alloc(32, 1) });
  const edge = await startTlsEdge(t, [routeAt(origin.port, "app.test", { tls: { mode: "redirect" } })], {
    set: [await edgeCertificate(authority, ["app.test"], true)],
    challenges: [
      { kind: "http-01", host: "app.test", token: "token-1", content: "token-1.thumb" },
      { kind: "tls-alpn-01", host: "app.test", chain: shown.cert, key: shown.key },
    ],
  });
  const ask = (path: string) =>
    exchangeBytes(edge.port, `GET ${path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n`, { end: true });
  const answer = await ask("/.well-known/acme-challenge/token-1");
  assert.match(answer, /\r\n\r\ntoken-1\.thumb$/);
  assert.equal(statusOf(await ask("/.well-known/acme-challenge/other")), 308, "other tokens are the app's own affair");
  const socket = await connect(edge, "app.test", { ALPNProtocols: ["acme-tls/1"], rejectUnauthorized: false });
  assert.equal(socket.alpnProtocol, "acme-tls/1");
  assert.equal(socket.getPeerX509Certificate()?.toString().trim(), shown.cert.trim());
  socket.destroy();
  assert.equal(statusOf(await get(edge, "app.test")), 200);
  await edge.certify({ set: [], remove: [], challenges: [] });
  await assert.rejects(connect(edge, "app.test", { ALPNProtocols: ["acme-tls/1"] }), /no application protocol/i);
});

test("what is no TLS, or stops in the middle, is closed and costs nobody else anything", async (t) => {
  const clients = await testAuthority("Clients");
  const { edge } = await mutualEdge(t, clients);
  const garbage = [
    "GET / HTTP/1.1\r\n\r\n",
    "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    "\x16\x03\x01\xff\xff",
    "\x80\x2e\x01\x03\x01",
    `\x16\x03\x01\x40\x00\x01\x00\xff\xff${"x".repeat(70_000)}`,
  ];
  for (const bytes of garbage) {
    const socket = net.connect(edge.tlsPort, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write(Buffer.from(bytes, "latin1"));
    await new Promise((resolve) => socket.once("close", resolve));
  }
  const cut = net.connect(edge.tlsPort, "127.0.0.1");
  cut.resume();
  cut.end(Buffer.from("\x16\x03\x01\x02\x00\x01", "latin1"));
  await once(cut, "close");
  assert.equal(statusOf(await get(edge, "open.test")), 200);
});
