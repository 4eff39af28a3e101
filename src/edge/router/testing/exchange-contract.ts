import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { endpoint, exchangeBytes, host, ok, RawClient, rawOrigin, route, routeTo, statusOf } from "../embedded/testing/edge.ts";
import type { Check } from "./contract.ts";
import type { RouterKind } from "./routers.ts";

const request = (path = "/", ...headers: readonly string[]) =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers.map((h) => `${h}\r\n`).join("")}\r\n`;
const closing = request("/", "Connection: close");

/** One request and its answer, at any router. */
export function exchangeContract(kind: RouterKind, check: Check): void {
  check("an answer that breaks off breaks off for the client too", async (t) => {
    assert.doesNotMatch(await answerTo(kind, t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), /0\r\n\r\n$/);
    assert.doesNotMatch(await answerTo(kind, t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"), /0\r\n\r\n$/);
    assert.match(await answerTo(kind, t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), /hello$/);
  });

  check("bytes after an answer are never taken for the answer to the next request", async (t) => {
    const poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    const origin = await rawOrigin(t, (soFar, socket) => soFar.endsWith("\r\n\r\n") && socket.write(ok + poison));
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const answers = await exchangeBytes(edge.port, request() + request() + closing);
    assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 3);
    assert.doesNotMatch(answers, /poison/);
    assert.equal(origin.received.length, 3, "the connection is never used again");
  });

  check("a client that waits for 100 Continue gets it from the app, and the body follows", async (t) => {
    const origin = http.createServer((incoming, answer) => incoming.pipe(answer));
    origin.listen(0, "127.0.0.1");
    await once(origin, "listening");
    t.after(() => origin.close());
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo((origin.address() as net.AddressInfo).port)], remove: [] });
    const client = new RawClient(edge.port);
    client.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n`);
    assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello");
    assert.match(await client.until("hello"), /200 OK/);
    await client.closed();
  });

  check("an instance that refuses connections costs no request while another is there", async (t) => {
    const origin = await rawOrigin(t);
    const gone = await rawOrigin(t);
    await gone.close();
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(gone.port, origin.port)], remove: [] });
    for (let i = 0; i < 20; i++) assert.equal(statusOf(await exchangeBytes(edge.port, closing)), 200);
    assert.equal((await edge.traffic())[0]?.errors, 0);
  });

  check("a request waits for an instance that restarts in place", async (t) => {
    const first = await rawOrigin(t);
    await first.close();
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(first.port)], remove: [] });
    const answer = exchangeBytes(edge.port, closing);
    const body = exchangeBytes(edge.port, `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\r\n\r\n`);
    await rawOrigin(t, undefined, first.port);
    assert.equal(statusOf(await answer), 200);
    assert.equal(statusOf(await body), 200);
  });

  check("a request waits for the first instance of a route to enter the table", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo()], remove: [] });
    const answer = exchangeBytes(edge.port, closing);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    assert.equal(statusOf(await answer), 200);
  });

  check("a request that waits in vain is told what is missing, and when to come back", async (t) => {
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo()], remove: [] });
    const answer = await exchangeBytes(edge.port, closing);
    assert.equal(statusOf(answer), 503);
    assert.match(answer, /retry-after: 2\r\n/);
    assert.match(answer, /no instance of process "web" of app "app" in space "space"/);
    assert.equal((await edge.traffic())[0]?.errors, 1);
  });

  check("an unknown host gets a page that can do no harm", async (t) => {
    const edge = await kind.start(t);
    const answer = await exchangeBytes(
      edge.port,
      `GET /<script>alert("1")</script> HTTP/1.1\r\nHost: x.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(statusOf(answer), 404);
    assert.match(answer, /content-type: text\/html/);
    assert.doesNotMatch(answer, /<script/);
  });

  check("an answer of the edge's own leaves the connection usable", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    const answers = await exchangeBytes(edge.port, `GET / HTTP/1.1\r\nHost: x.test\r\n\r\n${closing}`);
    assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 404", "HTTP/1.1 200"]);
  });

  check("the longest path decides, and only on the border of a segment", async (t) => {
    const origins = await Promise.all(
      ["root", "a", "ab"].map((name) =>
        rawOrigin(t, (_, socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`)),
      ),
    );
    const edge = await kind.start(t);
    await edge.apply({
      set: ["/", "/a", "/a/b/"].map((path, i) =>
        route([{ release: 1, weight: 1, endpoints: [endpoint(origins[i]?.port ?? 0)] }], {
          id: `r${i}`,
          listener: { kind: "public", host: "APP.test.", path },
        }),
      ),
      remove: [],
    });
    const ask = async (path: string) => (await exchangeBytes(edge.port, request(path, "Connection: close"))).split("\r\n\r\n")[1];
    for (const [path, name] of [
      ["/", "root"],
      ["/ab", "root"],
      ["/a", "a"],
      ["/a/", "a"],
      ["/a?b", "a"],
      ["/a/bc", "a"],
      ["/a/b", "ab"],
      ["/a/b/c", "ab"],
      ["/%61/b", "ab"],
      ["//a//b", "ab"],
    ] as const)
      assert.equal(await ask(path), name, path);
  });

  check("traffic is shared between releases by weight, and a weight of nothing takes nothing", async (t) => {
    const origin = await rawOrigin(t);
    const edge = await kind.start(t);
    const target = (release: number, weight: number) => ({
      release,
      weight,
      endpoints: [endpoint(origin.port, `space/app/web.${release}.x`)],
    });
    await edge.apply({ set: [route([target(1, 9), target(2, 1), target(3, 0)])], remove: [] });
    const rounds = 400;
    await exchangeBytes(edge.port, request().repeat(rounds - 1) + closing);
    const requests = (await edge.traffic()).map((counters) => counters.requests);
    assert.equal(requests[0] !== undefined && requests[1] !== undefined && requests[0] + requests[1], rounds);
    assert.equal(requests[2], 0);
    // Ten standard deviations: fails by chance less than once in 10^20 runs.
    assert.ok(Math.abs((requests[1] ?? 0) - rounds / 10) < 10 * Math.sqrt(rounds * 0.1 * 0.9), String(requests));
  });

  check("counters tell requests, errors and how long they took", async (t) => {
    const origin = await rawOrigin(t, (soFar, socket) =>
      socket.write(soFar.includes("/bad") ? "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n" : ok),
    );
    const edge = await kind.start(t);
    await edge.apply({ set: [routeTo(origin.port)], remove: [] });
    await exchangeBytes(edge.port, request() + request("/bad", "Connection: close"));
    const [counters] = await edge.traffic();
    assert.deepEqual([counters?.route, counters?.release, counters?.requests, counters?.errors], ["app", 1, 2, 1]);
    assert.equal(
      counters?.latency.reduce((sum, n) => sum + n, 0),
      2,
    );
  });
}

/** What a client gets for what an app sends. */
async function answerTo(kind: RouterKind, t: { after(fn: () => unknown): void }, appSends: string): Promise<string> {
  const origin = await rawOrigin(t, (soFar, socket) => {
    if (soFar.endsWith("\r\n\r\n")) socket.end(appSends, "latin1");
  });
  const edge = await kind.start(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  return exchangeBytes(edge.port, closing);
}
