import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { type TestContext, test } from "node:test";
import zlib from "node:zlib";
import type { Route } from "#model/routing-table.ts";
import type { EmbeddedRouter } from "../embedded-router.ts";
import { endpoint, exchangeBytes, rawOrigin, route, routeTo, startEdge, statusOf } from "../testing/edge.ts";

type Handle = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

async function startApp(t: TestContext, handle: Handle): Promise<number> {
  const app = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  app.on("session", (session) => sessions.add(session));
  app.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    handle(stream, headers);
  });
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  t.after(() => {
    for (const session of sessions) session.destroy();
    app.close();
  });
  return (app.address() as net.AddressInfo).port;
}

function grpcRoute(...ports: readonly number[]): Route {
  const targets = [{ release: 1, weight: 1, endpoints: ports.map((port) => endpoint(port)) }];
  return { ...route(targets), policy: { upstream: { protocol: "h2c" } } };
}

/** A client of HTTP/2 without TLS. */
async function connect(t: TestContext, edge: EmbeddedRouter): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`http://127.0.0.1:${edge.port}`);
  session.on("error", () => {});
  t.after(() => session.destroy());
  await once(session, "connect");
  return session;
}

async function start(t: TestContext, handle: Handle) {
  const edge = await startEdge(t, { holdMs: 50 });
  await edge.apply({ set: [grpcRoute(await startApp(t, handle))], remove: [] });
  return { edge, session: await connect(t, edge) };
}

const call = {
  ":authority": "app.test",
  ":method": "POST",
  ":path": "/shop.Orders/Watch",
  "content-type": "application/grpc",
  te: "trailers",
};

test("a call streams both ways at once and ends with its trailers", async (t) => {
  const { session } = await start(t, (stream, headers) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-path": String(headers[":path"]) }));
    stream.on("data", (bytes: Buffer) => stream.write(`you said ${bytes}`));
    stream.on("end", () => stream.end());
  });
  const stream = session.request(call);
  const trailers = once(stream, "trailers");
  for (const word of ["one", "two", "three"]) {
    stream.write(word);
    // Only after the answer comes the next: nothing waits for the end of the request.
    assert.equal(String((await once(stream, "data"))[0]), `you said ${word}`);
  }
  stream.end();
  stream.resume();
  const [received] = (await trailers) as [http2.IncomingHttpHeaders];
  assert.deepEqual([received["grpc-status"], received["x-path"]], ["0", "/shop.Orders/Watch"]);
});

test("an answer of trailers alone, and trailers of the client, pass", async (t) => {
  const seen = Promise.withResolvers<http2.IncomingHttpHeaders>();
  const { session } = await start(t, (stream) => {
    stream.on("trailers", (trailers) => seen.resolve(trailers));
    stream.resume();
    stream.on("end", () => stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true }));
  });
  const stream = session.request(call, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-last": "word" }));
  stream.end("x");
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  assert.equal(headers["grpc-status"], "12");
  assert.equal((await seen.promise)["x-last"], "word");
  stream.resume();
  await once(stream, "close");
});

test("the app hears who the client is from the edge alone", async (t) => {
  const seen = Promise.withResolvers<http2.IncomingHttpHeaders>();
  const { session } = await start(t, (stream, headers) => {
    seen.resolve(headers);
    stream.respond({ ":status": 200 }, { endStream: true });
  });
  const stream = session.request({ ...call, "x-forwarded-for": "6.6.6.6", "x-client-cert-subject": "CN=root" }, { endStream: true });
  await once(stream, "response");
  stream.resume();
  const headers = await seen.promise;
  assert.deepEqual(
    [headers["x-forwarded-for"], headers["x-client-cert-subject"], headers["te"], headers[":authority"]],
    ["127.0.0.1", undefined, "trailers", "app.test"],
  );
});

test("a client that cancels is heard by the app, and an app that resets by the client", async (t) => {
  const cancelled = Promise.withResolvers<number>();
  const { session } = await start(t, (stream, headers) => {
    stream.on("close", () => cancelled.resolve(stream.rstCode));
    stream.respond({ ":status": 200 });
    // Once the head has left: a reset overtakes what still waits.
    if (headers["x-reset"] === "1") setTimeout(() => stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM), 20);
  });
  const stream = session.request(call);
  stream.on("error", () => {});
  await once(stream, "response");
  stream.close(http2.constants.NGHTTP2_CANCEL);
  assert.equal(await cancelled.promise, http2.constants.NGHTTP2_CANCEL);
  const reset = session.request({ ...call, "x-reset": "1" });
  reset.on("error", () => {});
  reset.resume();
  await new Promise((resolve) => reset.once("close", resolve));
  assert.equal(reset.rstCode, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test("an instance that takes no connections is passed over; without any the answer is 503", async (t) => {
  const port = await startApp(t, (stream) => stream.respond({ ":status": 204 }, { endStream: true }));
  const edge = await startEdge(t, { holdMs: 50 });
  await edge.apply({ set: [grpcRoute(1, port)], remove: [] });
  const session = await connect(t, edge);
  const ask = async () => {
    const stream = session.request({ ...call, ":method": "GET" }, { endStream: true });
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpStatusHeader];
    stream.resume();
    return headers[":status"];
  };
  for (let i = 0; i < 5; i++) assert.equal(await ask(), 204);
  await edge.apply({ set: [grpcRoute(1)], remove: [] });
  assert.equal(await ask(), 503);
});

test("what does not speak HTTP/2 is told so on both sides", async (t) => {
  const { edge } = await start(t, () => {});
  const answer = await exchangeBytes(edge.port, "GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n", { end: true });
  assert.equal(statusOf(answer), 426);
  const silent = net.createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => silent.close());
  await edge.apply({ set: [grpcRoute((silent.address() as net.AddressInfo).port)], remove: [] });
  const session = await connect(t, edge);
  const stream = session.request(call, { endStream: true });
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpStatusHeader];
  assert.equal(headers[":status"], 503);
  stream.resume();
});

test("HTTP/2 without TLS reaches apps of HTTP/1 too", async (t) => {
  const origin = await rawOrigin(t);
  const edge = await startEdge(t);
  await edge.apply({ set: [routeTo(origin.port)], remove: [] });
  const session = await connect(t, edge);
  const stream = session.request({ ":authority": "app.test", ":path": "/a" });
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpStatusHeader];
  assert.equal(headers[":status"], 200);
  stream.resume();
  assert.match(origin.received[0] ?? "", /^GET \/a HTTP\/1\.1\r\nhost: app\.test\r\n[\s\S]*x-forwarded-proto: http\r\n/);
});

test("answers of apps that speak HTTP/2 are compressed as those of others are", async (t) => {
  const text = "all the same ".repeat(20_000);
  const { session } = await start(t, (stream, headers) => {
    const [, type = "", length = "", more = ""] = String(headers[":path"]).split("/");
    stream.respond(
      {
        ":status": 200,
        "content-type": `text/${type}`,
        ...(length === "" ? {} : { "content-length": text.length }),
        etag: '"1"',
        "x-more": more,
      },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-last": "word" }));
    stream.end(text);
  });
  const ask = async (path: string, coding = "br;q=0.5, gzip") => {
    const stream = session.request({ ":authority": "app.test", ":path": path, "accept-encoding": coding });
    const trailers = once(stream, "trailers");
    const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
    const pieces: Buffer[] = [];
    for await (const piece of stream) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    return { headers, body, trailers: (await trailers)[0] as http2.IncomingHttpHeaders };
  };
  for (const path of ["/plain/known/kept", "/plain"]) {
    const { headers, body, trailers } = await ask(path);
    assert.deepEqual([headers["content-encoding"], headers["vary"], headers["etag"]], ["gzip", "accept-encoding", 'W/"1"']);
    assert.equal(headers["content-length"], undefined);
    assert.equal(headers["x-more"], path.split("/")[3] ?? "");
    assert.equal(zlib.gunzipSync(body).toString(), text);
    assert.equal(trailers["x-last"], "word");
  }
  const brotli = await ask("/plain", "br");
  assert.equal(zlib.brotliDecompressSync(brotli.body).toString(), text);
  for (const { headers, body } of [await ask("/event-stream"), await ask("/plain", "identity")]) {
    assert.equal(headers["content-encoding"], undefined);
    assert.equal(body.toString(), text);
  }
});
