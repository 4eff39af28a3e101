import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { allRoutes } from "./routes/index.ts";
import { type ApiFixture, startApi } from "./testing/api-fixture.ts";

let api: ApiFixture;
before(async () => {
  api = await startApi();
  await api.call("PUT", "/v1/spaces/default", {});
});
after(() => api[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: { readonly code: string; readonly message: string; readonly hint: string; readonly details: unknown };
}

/** A request as a browser or anything else might make it: `fetch` would not send these headers. */
async function send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  const framing = body === undefined || "transfer-encoding" in headers ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const request = http.request({ host: "127.0.0.1", port: api.port, method, path, headers: { ...framing, ...headers }, agent: false });
  request.end(body);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}

/** Bytes as they are, for what no client library would send. */
async function sendRaw(text: string): Promise<string> {
  const socket = connect(api.port, "127.0.0.1");
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const authorized = () => ({ authorization: `Bearer ${api.token}` });

test("every route refuses callers without a token, with a wrong one, for another host, and from another site", async (t) => {
  const routes = allRoutes(api.services);
  assert.ok(routes.length > 40);
  for (const route of routes) {
    const path = route.path.replaceAll(/:[a-z]+/g, "x").replace("*", "key");
    await t.test(`${route.method} ${route.path}`, async () => {
      const json = { "content-type": "application/json" };
      const rebound = await send(route.method, path, { ...authorized(), ...json, host: "evil.example:7373" }, bodyFor(route.method));
      if (route.answer.kind !== "upgrade") assert.deepEqual([rebound.status, rebound.body.code], [403, "FORBIDDEN"]);
      if (route.access === "open" || route.access === "ticket") return;
      const wrong = api.token.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
      for (const authorization of [
        undefined,
        "",
        "Bearer",
        "Bearer ",
        `Bearer ${wrong}`,
        `Basic ${btoa(`admin:${api.token}`)}`,
        api.token,
        `Bearer ${api.token} `.repeat(50),
      ]) {
        const refused = await send(
          route.method,
          path,
          { ...json, ...(authorization === undefined ? {} : { authorization }) },
          bodyFor(route.method),
        );
        assert.deepEqual([refused.status, refused.body.code], [401, "UNAUTHENTICATED"], String(authorization).slice(0, 30));
        assert.match(String(refused.headers["www-authenticate"]), /^Bearer/);
      }
      if (route.method === "GET") return;
      for (const from of [
        { origin: "https://evil.example" },
        { origin: "null" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
      ]) {
        const refused = await send(route.method, path, { ...authorized(), ...json, ...from }, bodyFor(route.method));
        assert.deepEqual([refused.status, refused.body.code], [403, "FORBIDDEN"], JSON.stringify(from));
      }
    });
  }
});

function bodyFor(method: string): string | undefined {
  return method === "GET" ? undefined : "{}";
}

test("the same origin and every loopback name are let in", async () => {
  for (const host of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"].map((name) => `${name}:${api.port}`)) {
    const headers = { ...authorized(), host, origin: `http://${host.toLowerCase()}`, "sec-fetch-site": "same-origin" };
    const answer = await send("PUT", "/v1/spaces/default/kv/origin", headers, "x");
    assert.equal(answer.status, 200, host);
  }
});

test("a form of another page cannot pass for JSON", async () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json-seq", ""]) {
    const answer = await send(
      "POST",
      "/v1/apply",
      { ...authorized(), ...(type === "" ? {} : { "content-type": type }) },
      '{"documents":[]}',
    );
    assert.deepEqual([answer.status, answer.body.code], [415, "UNSUPPORTED_MEDIA_TYPE"], type);
  }
});

test("errors have one form, whatever is wrong, and name their request", async () => {
  const cases: readonly [string, string, string | undefined, number, string][] = [
    ["GET", "/v1/nowhere", undefined, 404, "ROUTE_UNKNOWN"],
    ["GET", "/", undefined, 404, "ROUTE_UNKNOWN"],
    ["GET", "/v1/spaces/%", undefined, 400, "REQUEST_INVALID"],
    ["DELETE", "/v1/status", undefined, 405, "METHOD_NOT_ALLOWED"],
    ["OPTIONS", "/v1/status", undefined, 405, "METHOD_NOT_ALLOWED"],
    ["GET", "/v1/status?x=1", undefined, 400, "REQUEST_INVALID"],
    ["GET", "/v1/events?limit=-1", undefined, 400, "REQUEST_INVALID"],
    ["GET", "/v1/events?limit=1e3", undefined, 400, "REQUEST_INVALID"],
    ["GET", "/v1/spaces/nope/apps", undefined, 404, "SPACE_NOT_FOUND"],
    ["GET", "/v1/spaces/default/apps/nope", undefined, 404, "APP_NOT_FOUND"],
    ["GET", "/v1/spaces/..%2f..%2fetc/apps", undefined, 422, "NAME_INVALID"],
    ["GET", "/v1/spaces/__proto__", undefined, 422, "NAME_INVALID"],
    ["POST", "/v1/apply", "{", 400, "REQUEST_INVALID"],
    ["POST", "/v1/apply", "null", 400, "REQUEST_INVALID"],
    ["POST", "/v1/apply", '{"documents":[],"more":1}', 400, "REQUEST_INVALID"],
    ["POST", "/v1/apply", '{"__proto__":{"documents":[]}}', 400, "REQUEST_INVALID"],
    ["POST", "/v1/apply", "\xff\xfe", 400, "REQUEST_INVALID"],
    ["POST", "/v1/apply", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, 400, "REQUEST_INVALID"],
  ];
  for (const [method, path, body, status, code] of cases) {
    const headers = { ...authorized(), "content-type": "application/json", "x-request-id": "mine-1" };
    const answer = await send(method, path, headers, body);
    assert.deepEqual([answer.status, answer.body.code], [status, code], `${method} ${path} ${body?.slice(0, 30)}`);
    assert.deepEqual(Object.keys(answer.body).sort(), ["code", "details", "hint", "message"]);
    assert.notEqual(answer.body.hint, "");
    assert.equal(answer.headers["x-request-id"], "mine-1");
    assert.equal(answer.headers["cache-control"], "no-store");
  }
  assert.deepEqual(api.logged, []);
});

test("a request may name the server before its path, ask for another protocol, or want a stream's head alone", async () => {
  const host = `127.0.0.1:${api.port}`;
  const head = `Host: ${host}\r\nAuthorization: Bearer ${api.token}\r\n`;
  const close = "Connection: close\r\n\r\n";
  assert.match(await sendRaw(`GET http://${host}/v1/spaces?x HTTP/1.1\r\n${head}${close}`), /^HTTP\/1.1 400 .*Unrecognized key/s);
  assert.match(await sendRaw(`GET http://${host}/v1/spaces HTTP/1.1\r\n${head}${close}`), /^HTTP\/1.1 200 /);
  assert.match(await sendRaw(`GET *v1/spaces HTTP/1.1\r\n${head}${close}`), /^HTTP\/1.1 404 /);
  const other = "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
  assert.match(await sendRaw(`GET /v1/spaces HTTP/1.1\r\n${head}${other}`), /^HTTP\/1.1 200 /);
  const both = await sendRaw(`HEAD /v1/events/watch HTTP/1.1\r\n${head}\r\nGET /v1/spaces HTTP/1.1\r\n${head}${close}`);
  assert.match(both, /^HTTP\/1.1 200 .*\r\n\r\nHTTP\/1.1 200 .*"spaces"/s);
});

test("what is refused before it is read is taken all the same, and the next request is answered", async () => {
  const length = 16 * 2 ** 20;
  const head = `Host: 127.0.0.1:${api.port}\r\nAuthorization: Bearer ${api.token}\r\n`;
  const socket = connect(api.port, "127.0.0.1");
  socket.write(`PUT /v1/programs/none HTTP/1.1\r\n${head}Content-Type: application/octet-stream\r\nContent-Length: ${length}\r\n\r\n`);
  socket.write(Buffer.alloc(length));
  socket.write(`GET /v1/spaces HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1.1 400 .*no digest.*HTTP\/1.1 200 .*"spaces"/s);
});

test("bodies over their limit are refused, announced or not", async () => {
  const tooLarge = "x".repeat(2 ** 20 + 1);
  const announced = await send(
    "PUT",
    "/v1/spaces/default/kv/large",
    { ...authorized(), "content-length": String(tooLarge.length) },
    tooLarge,
  ).catch((error: NodeJS.ErrnoException) => error.code);
  // The server may close before all was sent; then the answer can be lost, but nothing was written.
  if (typeof announced === "object") assert.deepEqual([announced.status, announced.body.code], [413, "BODY_TOO_LARGE"]);
  const chunked = await send("PUT", "/v1/spaces/default/kv/large", { ...authorized(), "transfer-encoding": "chunked" }, tooLarge).catch(
    (error: NodeJS.ErrnoException) => error.code,
  );
  if (typeof chunked === "object") assert.deepEqual([chunked.status, chunked.body.code], [413, "BODY_TOO_LARGE"]);
  assert.equal((await api.fetch("GET", "/v1/spaces/default/kv/large")).status, 404);
});

test("what is no HTTP, or has too large a head, is told so and closed", async () => {
  const head = `GET /v1/health HTTP/1.1\r\nhost: 127.0.0.1\r\n`;
  for (const [text, status] of [
    [`${head}x: ${"y".repeat(20_000)}\r\n\r\n`, 431],
    ["NONSENSE\r\n\r\n", 400],
    [`${head}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    [`${head}content-length: 5, 6\r\n\r\n`, 400],
    ["GET /v1/health HTTP/1.1\r\n\r\n", 400],
  ] as const) {
    const answer = await sendRaw(text);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), text.slice(0, 60));
  }
});

test("an answer never allows another site to read it", async () => {
  const answer = await send("GET", "/v1/version", { ...authorized(), origin: "https://evil.example" });
  assert.equal(answer.headers["access-control-allow-origin"], undefined);
  assert.equal(answer.headers["x-content-type-options"], "nosniff");
});

test("a request under one idempotency key is done once, and answered the same again", async () => {
  const body = { documents: [{ file: "a.yaml", text: "app: once\nrun: x\n" }] };
  const headers = { "idempotency-key": "k-1" };
  const first = await api.call<{ revision: number }>("POST", "/v1/apply", body, headers);
  const { revision } = api.services.store;
  await api.call("POST", "/v1/spaces/default/apps/once/scale", { instances: { web: 3 } });
  const response = await api.fetch("POST", "/v1/apply", { json: body, headers });
  assert.equal(response.headers.get("idempotency-replayed"), "true");
  assert.deepEqual(await response.json(), first);
  assert.equal(first.revision, revision);
  assert.equal(api.services.store.revision, revision + 1);
  const other = await api.fetch("POST", "/v1/apply", { json: { documents: [{ file: "a.yaml", text: "app: other\nrun: x\n" }] }, headers });
  assert.equal(((await other.json()) as { code: string }).code, "IDEMPOTENCY_KEY_REUSED");
});

test("two requests under one key at the same time have one effect", async () => {
  const headers = { "idempotency-key": "k-2" };
  await api.call("POST", "/v1/apply", { documents: [{ file: "a.yaml", text: "app: twice\nrun: x\n" }] });
  const answers = await Promise.all([1, 2, 3].map(() => api.fetch("POST", "/v1/spaces/default/apps/twice/restart", { json: {}, headers })));
  const statuses = answers.map(({ status }) => status).sort();
  assert.ok(
    statuses.every((status) => status === 200 || status === 409),
    statuses.join(),
  );
  const tokens = new Set(
    await Promise.all(answers.filter(({ status }) => status === 200).map(async (answer) => JSON.stringify(await answer.json()))),
  );
  assert.equal(tokens.size, 1);
});
