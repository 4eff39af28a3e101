import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import tls from "node:tls";
import { systemClock } from "#host/clock.ts";
import { createOutgoing } from "#host/outgoing.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { keyPem, makeCertificate, newKey } from "#host/x509/make-certificate.ts";
import type { CheckTest, HttpExpectation } from "#model/check.ts";
import type { ProbedTest } from "#model/check-orders.ts";
import type { SpaceName } from "#model/names.ts";
import type { CheckSurroundings, CommandEnd, Finding } from "./finding.ts";
import { makeCheck } from "./make-check.ts";

const loopback = createOutgoing(["127.0.0.0/8", "::1"]);
const surroundings: CheckSurroundings = {
  target: "m1",
  address: "127.0.0.1",
  resolve: loopback,
  clock: systemClock,
  runCommand: null,
  countLogs: null,
};

function check(what: ProbedTest, more: Partial<CheckSurroundings> = {}, signal = new AbortController().signal): Promise<Finding> {
  return makeCheck(what, { ...surroundings, ...more }, signal);
}

const expectNothing: HttpExpectation = { status: [], body: null, headers: {}, json: {}, tlsLeftMs: null };

function httpTest(url: string, expect: Partial<HttpExpectation> = {}): Extract<CheckTest, { kind: "http" }> {
  return { kind: "http", url, method: "GET", headers: {}, body: null, expect: { ...expectNothing, ...expect } };
}

test("lines are counted since the last step alone: too many fail at once, few enough pass once the whole time has passed", async () => {
  const lines = { kind: "log", search: "broken", most: 3, overMs: 60_000, of: { space: "shop" as SpaceName, target: "app/web" } } as const;
  const counted = (events: number, overMs: number) => check(lines, { countLogs: async () => ({ events, overMs, latest: "broken 4" }) });
  assert.deepEqual(await counted(4, 10_000), {
    isOk: false,
    message: '4 events match "broken" within 10 s, 3 may; the latest: broken 4',
  });
  await assert.rejects(counted(3, 59_999), { code: "CHECK_UNDECIDED" });
  assert.equal((await counted(3, 60_000)).isOk, true);
});

async function serve(t: TestContext, answer: http.RequestListener): Promise<string> {
  const server = http.createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("an http check compares status, headers, body and JSON, and says what was found and what was wanted", async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === "/down") response.statusCode = 503;
    if (request.url === "/moved") response.statusCode = 302;
    response.setHeader("x-release", "7").end(JSON.stringify({ status: "green", parts: [{ name: "cart", "is-up": true }] }));
  });
  const cases: readonly (readonly [test: ProbedTest, isOk: boolean, message: RegExp])[] = [
    [httpTest(`${url}/`), true, /answers 200$/],
    [httpTest(`${url}/down`), false, /answered 503, not 200 to 399$/],
    [httpTest(`${url}/down`, { status: [503] }), true, /answers 503$/],
    [httpTest(`${url}/moved`), true, /answers 302$/],
    [httpTest(`${url}/`, { headers: { "X-Release": "7" } }), true, /answers 200$/],
    [httpTest(`${url}/`, { headers: { "X-Release": "8" } }), false, /header X-Release is "7", not "8"$/],
    [httpTest(`${url}/`, { headers: { "X-Other": "8" } }), false, /header X-Other is missing, not "8"$/],
    [httpTest(`${url}/`, { body: "gr[ai]{2}n" }), false, /the body does not match gr\[ai\]\{2\}n$/],
    [httpTest(`${url}/`, { body: "gre+n" }), true, /answers 200$/],
    [httpTest(`${url}/`, { json: { "$.status": "green", '$.parts[0]["is-up"]': true } }), true, /answers 200$/],
    [httpTest(`${url}/`, { json: { "$.parts[1].name": "cart" } }), false, /\$\.parts\[1\]\.name is missing, not "cart"$/],
    [httpTest(`${url}/`, { tlsLeftMs: 1_000 }), false, /there is no certificate$/],
  ];
  for (const [what, isOk, message] of cases) {
    const finding = await check(what);
    assert.equal(finding.isOk, isOk, finding.message);
    assert.match(finding.message, message);
  }
});

test("an https check trusts what the machine trusts, for the name that it calls, and sees how long the certificate is good for", async (t) => {
  const [rootKey, key] = [await newKey(), await newKey()];
  const nowMs = Date.now();
  // Half a day more, so that no run is so slow that it is a day less.
  const life = { notBeforeMs: nowMs - 3_600_000, notAfterMs: nowMs + 9.5 * 86_400_000 };
  const ca = makeCertificate({ name: "Test", key: rootKey, ...life, use: { kind: "authority" } });
  const issuer = { name: "Test", key: rootKey };
  const cert = makeCertificate({ name: "shop", key, issuer, ...life, use: { kind: "server", hosts: ["shop.test"] } });
  const server = https.createServer({ key: keyPem(key), cert }, (_, response) => response.end("well")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const authorities = tls.getCACertificates("default");
  t.after(() => {
    tls.setDefaultCACertificates(authorities);
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const resolve = async () => ({ address: "127.0.0.1", family: 4 as const });
  const at = (host: string, tlsLeftMs: number | null) => check(httpTest(`https://${host}:${port}/`, { tlsLeftMs }), { resolve });
  assert.match((await at("shop.test", null)).message, /unable to verify|self-signed|local issuer/, "nobody knows its authority yet");
  tls.setDefaultCACertificates([ca]);
  assert.match((await at("shop.test", 7 * 86_400_000)).message, /answers 200$/);
  const ending = await at("shop.test", 14 * 86_400_000);
  assert.equal(ending.isOk, false);
  assert.match(ending.message, /the certificate ends in 9d, wanted at least 14d$/);
  assert.match((await at("other.test", null)).message, /altnames|does not match/);
});

test("a pattern and a body that would stop a backtracking engine for years are compared at once", async (t) => {
  const url = await serve(t, (_, response) => response.end(`${"a".repeat(100_000)}!`));
  assert.equal((await check(httpTest(url, { body: "^(a+)+$" }))).isOk, false);
});

test("an endless answer is read as far as it may be and no further", async (t) => {
  const url = await serve(t, (_, response) => {
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  assert.match((await check(httpTest(url, { body: "needle" }))).message, /does not match needle/);
});

test("a port that nobody listens on, and one that never answers, are findings", async (t) => {
  const silent = net.createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const closed = net.createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port: free } = closed.address() as AddressInfo;
  closed.close();
  assert.deepEqual(await check({ kind: "tcp", host: null, ports: [port] }), {
    isOk: true,
    message: `127.0.0.1 accepts connections on ${port}`,
  });
  assert.deepEqual(await check({ kind: "tcp", host: null, ports: [port, free] }), {
    isOk: false,
    message: `127.0.0.1: port ${free}: ECONNREFUSED`,
  });
  const abort = new AbortController();
  silent.once("connection", () => abort.abort());
  assert.match((await check(httpTest(`http://127.0.0.1:${port}/`), {}, abort.signal)).message, /no answer in time$/);
});

test("nobody can make a check call inside, however the address is written", async () => {
  const strict = { resolve: createOutgoing([]) };
  const hosts = [
    "127.0.0.1",
    "127.1",
    "0",
    "2130706433",
    "0x7f.1",
    "[::]",
    "[::1]",
    "[::ffff:169.254.169.254]",
    "169.254.169.254",
    "[fe80::1]",
  ];
  for (const host of [...hosts, "localhost"])
    await assert.rejects(check(httpTest(`http://${host}:9/`), strict), { code: "ADDRESS_REFUSED" }, host);
  await assert.rejects(check({ kind: "tcp", host: null, ports: [9] }, strict), { code: "ADDRESS_REFUSED" });
  await assert.rejects(check(httpTest("http://user@127.0.0.1#@example.com/"), strict), { code: "ADDRESS_REFUSED" });
});

test("a name that answers otherwise the second time is called where it was judged", async (t) => {
  const url = await serve(t, (_, response) => response.end("inside"));
  const { port } = new URL(url);
  let asked = 0;
  const rebinding = (async () => ({ address: asked++ === 0 ? "192.0.2.1" : "127.0.0.1", family: 4 })) as never;
  const abort = new AbortController();
  const pending = check(httpTest(`http://rebind.test:${port}/`), { resolve: createOutgoing([], rebinding) }, abort.signal);
  setImmediate(() => abort.abort());
  assert.equal((await pending).isOk, false);
  assert.equal(asked, 1);
});

test("a dns check asks the server that it names, and compares answers without regard to case and final dots", async (t) => {
  const server = dgram.createSocket("udp4");
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  server.on("message", (query, from) => server.send(answerTo(query), from.port, from.address));
  const { port } = server.address();
  const dns = (name: string, answers: readonly string[]): ProbedTest => ({
    kind: "dns",
    name,
    type: "A",
    answers,
    server: `127.0.0.1:${port}`,
  });
  assert.deepEqual(await check(dns("{target}.example", ["192.0.2.7"])), { isOk: true, message: "A of m1.example is 192.0.2.7" });
  assert.match((await check(dns("m1.example", ["192.0.2.8"]))).message, /192\.0\.2\.8 is missing$/);
  assert.equal((await check(dns("gone.example", []))).message, "gone.example does not exist");
});

/** One A record for every name but `gone`. */
function answerTo(query: Buffer): Buffer {
  const isGone = query.includes("gone");
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const head = Buffer.from([...query.subarray(0, 2), 0x81, isGone ? 0x83 : 0x80, 0, 1, 0, isGone ? 0 : 1, 0, 0, 0, 0]);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 7]);
  return isGone ? Buffer.concat([head, question]) : Buffer.concat([head, question, record]);
}

test("commands are judged by their exit status, as Nagios plugins, or by the summary of cucumber-nagios", async () => {
  const cucumber = (line: string) => ({ exitCode: 0, output: `loading\n${line} | passed=1; failed=0; nosteps=0; total=1\n` });
  const counted = "passed=1; failed=0; nosteps=0; total=1";
  const cases: readonly (readonly [
    output: "exit" | "nagios" | "cucumber",
    end: CommandEnd,
    isOk: boolean,
    message: string,
    performance?: string,
  ])[] = [
    ["exit", { exitCode: 0, output: "" }, true, "exited with 0"],
    ["exit", { exitCode: 0, output: "one\ntwo\n" }, true, "two"],
    ["exit", { exitCode: 3, output: "no cart\n" }, false, "exited with 3: no cart"],
    ["nagios", { exitCode: 0, output: "DISK OK - 40% free | /=60%;80;90\nmore" }, true, "DISK OK - 40% free", "/=60%;80;90"],
    [
      "nagios",
      { exitCode: 2, output: "DISK CRITICAL|'/my disk'=99%\nlong text\nmore of it | /var=1%\n/tmp=2%\n" },
      false,
      "DISK CRITICAL",
      "'/my disk'=99% /var=1% /tmp=2%",
    ],
    ["nagios", { exitCode: 0, output: `OK | ${"a=1 ".repeat(1_000)}` }, true, "OK", "a=1 ".repeat(500).trim()],
    ["nagios", { exitCode: 0, output: `OK | ${"a".repeat(3_000)}` }, true, "OK"],
    ["nagios", { exitCode: 1, output: "DISK WARNING - 15% free" }, true, "DISK WARNING - 15% free"],
    ["nagios", { exitCode: 2, output: "DISK CRITICAL - 2% free" }, false, "DISK CRITICAL - 2% free"],
    ["nagios", { exitCode: 3, output: "no such disk" }, false, "unknown: no such disk"],
    ["nagios", { exitCode: 127, output: "" }, false, "unknown: the plugin said nothing and exited with 127"],
    ["cucumber", cucumber("CUCUMBER OK - Critical: 0, Warning: 0, 4 okay"), true, "CUCUMBER OK - Critical: 0, Warning: 0, 4 okay", counted],
    [
      "cucumber",
      cucumber("CUCUMBER CRITICAL - Critical: 1, Warning: 0, 3 okay"),
      false,
      "CUCUMBER CRITICAL - Critical: 1, Warning: 0, 3 okay",
      counted,
    ],
    ["cucumber", { exitCode: 0, output: "Killed" }, false, "no summary of cucumber-nagios: Killed"],
  ];
  for (const [output, end, isOk, message, performance] of cases) {
    let env: Readonly<Record<string, string>> = {};
    const runCommand = async (_: string, given: Readonly<Record<string, string>>) => {
      env = given;
      return end;
    };
    assert.deepEqual(await check({ kind: "command", run: "x", env: {}, output }, { runCommand }), {
      isOk,
      message,
      ...(performance === undefined ? {} : { performance }),
    });
    assert.equal(env["TARGET"], "m1");
  }
});

test("a program that runs no commands says that it cannot make such a check, which is no failure of the promise", async () => {
  await assert.rejects(check({ kind: "command", run: "true", env: {}, output: "exit" }), { code: "CHECK_IMPOSSIBLE" });
});

const hasPing = programOnPath("ping") !== null;
test("a host that is there answers pings, and one that is not does not", {
  skip: hasPing ? false : "there is no ping here: checks by icmp were not made",
}, async () => {
  assert.deepEqual(await check({ kind: "icmp", host: null }), { isOk: true, message: "127.0.0.1 answers pings" });
  // Nobody has it, and `ping` asks nobody.
  const nobody: Partial<CheckSurroundings> = { resolve: async () => ({ address: "255.255.255.255", family: 4 }) };
  assert.deepEqual(await check({ kind: "icmp", host: "gone.test" }, nobody), { isOk: false, message: "gone.test does not answer pings" });
});

test("a machine that does not let us ping, or has no ping, says nothing of the one that is to be pinged", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "drover-ping-"));
  const path = process.env["PATH"];
  t.after(() => {
    process.env["PATH"] = path;
    return rm(folder, { recursive: true });
  });
  process.env["PATH"] = folder;
  await assert.rejects(check({ kind: "icmp", host: null }), { code: "CHECK_IMPOSSIBLE", message: /there is no `ping`/ });
  await writeFile(join(folder, "ping"), "#!/bin/sh\necho 'ping: socket: Operation not permitted' >&2\nexit 2\n", { mode: 0o755 });
  await assert.rejects(check({ kind: "icmp", host: null }), { code: "CHECK_IMPOSSIBLE", message: /does not let us ping: .*not permitted/ });
});

test("a target without an address is no failure of the promise either", async () => {
  for (const what of [{ kind: "icmp", host: null } as const, { kind: "tcp", host: null, ports: [22] } as const])
    await assert.rejects(check(what, { address: null }), { code: "CHECK_IMPOSSIBLE" });
});

test("a host that does not exist breaks the promise", async () => {
  const resolve = () => Promise.reject(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }));
  assert.deepEqual(await check(httpTest("http://nowhere.invalid/"), { resolve }), {
    isOk: false,
    message: "the host's name cannot be resolved",
  });
});
