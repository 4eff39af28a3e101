import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type net from "node:net";
import { type TestContext, test } from "node:test";
import { exchangeBytes, host, RawClient, rawOrigin, routeTo, statusOf } from "../embedded/testing/edge.ts";
import {
  exchangeFrames,
  floods,
  foulFields,
  frame,
  headOf,
  hostileFrames,
  overlongHeads,
  preface,
  type,
} from "../testing/hostile-frames.ts";
import { hidden, hostileRequests } from "../testing/hostile-requests.ts";
import { haproxyMissing, startHaproxy } from "../testing/routers.ts";

const skip = await haproxyMissing();

/**
 * What HAProxy reads as a request all the same. Each reaches the app in one plain form, so that nobody reads it in another way behind HAProxy; who is
 * in front of it might. docs/guides/haproxy.md says so.
 */
const repaired: Readonly<Record<string, RegExp>> = {
  "a length beside chunks is left out": /^(?:Content-Length and Transfer-Encoding|Transfer-Encoding and Content-Length)$/,
  "equal lengths and hosts become one": /^(?:Content-Length twice, equal|Content-Length "5, ?5"|Host twice, equal)$/,
  "names with an underscore are left out": /^a disguised /,
  "tabs around values, folded lines, blanks and empty lines become what they stand for":
    /^(?:(?:Content-Length|Transfer-Encoding) "[^"]*\\t|(?:Transfer-Encoding|a) folded|a folded header|an empty line|two blanks|a tab after the method)/,
  "a line may end in LF alone": /^(?:a bare LF after|bare LFs alone|chunks "5(?:\\r)?\\nhello\\n)/,
  "chunks are framed anew": /^chunks "(?:5 \\r|5;|0;GET|0{16}5)/,
  "other versions count as 1.1": /^HTTP\/(?:1\.2|2\.0 as text)$/,
  "an upgrade with a body is none": /^a WebSocket with a body$/,
};
/** Trailers go to the app as they are, on a connection that carries nothing after them: what the app makes of them is its own. */
const trailers = /^(?:the trailer |chunks "5\\r\\nhello\\r\\n0\\r\\n(?: folded|: x|a|x: y))/;
/** HAProxy's own limits and readers say 400 or 422 where the embedded router says what is wrong. */
const otherStatus: Readonly<Record<string, number>> = {
  'Transfer-Encoding ",chunked"': 422,
  'Transfer-Encoding "gzip, chunked"': 422,
  "Transfer-Encoding identity, then chunked": 422,
  "more than a hundred headers": 400,
  "a head over the limit": 400,
  "one endless header": 400,
  "one endless line": 400,
};
/** Requests of HTTP/2 that HAProxy takes all the same: it leaves such lengths out, and reads longer frames than it has to. */
const takenFrames = ["a disguised content_length", "a length and no body", "a frame that is longer than agreed"];
/** Fields that HAProxy leaves out, where the embedded router refuses the request. */
const takenFields = ["host", "content-length", ":protocol"];
/** A chunk of 4 GiB is one to HAProxy: the request never ends. */
const endless = 'chunks "100000000\\r\\n"';

/** An app with another parser: it notes the requests that it reads to their end, and says in each answer which one it is to. */
async function noting(t: TestContext): Promise<{ readonly port: number; readonly seen: string[]; readonly refused: string[] }> {
  const [seen, refused]: [string[], string[]] = [[], []];
  const app = http.createServer((request, answer) => {
    request.on("error", () => {});
    request.on("end", () => {
      seen.push(request.url ?? "");
      answer.end(`answer to ${request.url}`);
    });
    request.resume();
  });
  app.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    // That a request breaks off is no other reading of it.
    if (error.code !== "ECONNRESET" && error.code !== "HPE_INVALID_EOF_STATE") refused.push(error.code ?? "");
    socket.destroy();
  });
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  t.after(() => {
    app.closeAllConnections();
    app.close();
  });
  return { port: (app.address() as net.AddressInfo).port, seen, refused };
}

const statuses = (answers: string) => (answers.match(/HTTP\/1\.[01] \d{3}/g) ?? []).map((one) => Number(one.slice(-3)));
const last = hidden.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");

test("what could be read in two ways is refused by HAProxy, or reaches the app in one form", { skip }, async (t) => {
  const app = await noting(t);
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(app.port)], remove: [] });
  assert.deepEqual(edge.problems(), []);
  const met = new Set<string>();
  for (const [name, status, bytes] of hostileRequests)
    await t.test(`${name}: ${status}`, async () => {
      app.seen.length = app.refused.length = 0;
      const answers = await exchangeBytes(edge.port, bytes + last, { end: name === endless });
      const ways = Object.keys(repaired).filter((way) => repaired[way]?.test(name));
      if (trailers.test(name)) met.add("trailers");
      else {
        assert.deepEqual(app.refused, [], "the app's parser understands what HAProxy sends");
        if (name !== endless && (ways.length === 0 || statusOf(answers) !== 200)) {
          assert.deepEqual(statuses(answers), [otherStatus[name] ?? status], answers.slice(0, 300));
          assert.deepEqual(app.seen, []);
        } else for (const way of ways) met.add(way);
      }
      const wanted = statuses(answers).filter((one) => one === 200);
      assert.equal(app.seen.length, wanted.length, "the app has seen the requests that HAProxy has, and no other");
      // Whoever comes next gets the answer to a request of its own.
      const next = await exchangeBytes(edge.port, `GET /next HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      assert.match(next, /^HTTP\/1\.1 200 [\s\S]*answer to \/next$/);
    });
  assert.deepEqual([...met].sort(), [...Object.keys(repaired), "trailers"].sort(), "what is said of HAProxy is so");
});

test("what is no request of HTTP/2 is none at HAProxy, or reaches the app in one form", { skip }, async (t) => {
  const app = await noting(t);
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(app.port)], remove: [] });
  const taken: string[] = [];
  for (const [what, sent] of Object.entries(hostileFrames))
    await t.test(what, async () => {
      app.seen.length = app.refused.length = 0;
      const words = await exchangeFrames(edge.port, sent);
      assert.match(words, /reset|goaway|closed|headers/);
      assert.deepEqual(app.refused, [], "the app's parser understands what HAProxy sends");
      // Nobody else is the worse for it, and by then the app has read what it was sent.
      const next = await exchangeBytes(edge.port, `GET /next HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      assert.match(next, /^HTTP\/1\.1 200 [\s\S]*answer to \/next$/);
      if (app.seen.length > 1) taken.push(what);
    });
  assert.deepEqual(taken, takenFrames);
});

test("nothing in a field becomes a line of the request that HAProxy sends on, and heads beyond its limits are none", {
  skip,
}, async (t) => {
  const app = await rawOrigin(t);
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(app.port)], remove: [] });
  const taken: string[] = [];
  for (const sent of foulFields) if (/headers/.test(await exchangeFrames(edge.port, [headOf(sent)]))) taken.push(sent.at(-1)?.[0] ?? "");
  assert.deepEqual(taken, takenFields);
  const reached = app.received.join("");
  assert.doesNotMatch(reached, /evil|late|\r\n(?:x|upgrade|connection|transfer-encoding|content-length):/i);
  for (const sent of overlongHeads) assert.match(await exchangeFrames(edge.port, sent), /reset|goaway|closed/);
  assert.equal(app.received.join(""), reached);
});

test("floods of frames at HAProxy cost nobody else anything", { skip }, async (t) => {
  const app = await rawOrigin(t);
  const edge = await startHaproxy(t);
  await edge.apply({ set: [routeTo(app.port)], remove: [] });
  for (const [name, sent] of Object.entries(floods)) {
    const flooding = new RawClient(edge.port);
    flooding.write(Buffer.concat([preface, frame(type.settings, 0, 0), ...sent]).toString("latin1"));
    const next = await exchangeBytes(edge.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    assert.equal(statusOf(next), 200, name);
    flooding.socket.destroy();
  }
});
