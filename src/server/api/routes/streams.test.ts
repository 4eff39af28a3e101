import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Duplex, PassThrough, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { readJsonLines } from "#link/ndjson.ts";
import type { BuildOptions, BuildProgress } from "#model/build.ts";
import type { ExecInput, ExecOutput } from "#model/exec.ts";
import type { Digest, InstanceId } from "#model/names.ts";
import type { LogLine, LogQuery } from "#model/workload.ts";
import { type ApiFixture, startApi } from "../testing/api-fixture.ts";
import { readEvents } from "../testing/read-events.ts";

const artifact = `sha256:${"b".repeat(64)}` as Digest;
const oldArchive = `sha256:${"1".repeat(64)}`;
let api: ApiFixture;
let built: { options: BuildOptions; source: string } | null = null;
let asked: LogQuery | null = null;
let ended: Promise<unknown> = Promise.resolve();

/** An agent's end of an exec: a command that says back what it is told, and exits when its input ends. */
function echo(): Duplex {
  const input = new PassThrough();
  const output = new PassThrough();
  const say = (value: ExecOutput) => output.write(`${JSON.stringify(value)}\n`);
  const run = async () => {
    for await (const message of readJsonLines(input) as AsyncIterable<ExecInput>) {
      if (message.kind === "input") say({ kind: "output", stream: "stdout", base64: message.base64 });
      if (message.kind === "end") say({ kind: "exit", code: 7, signal: null });
    }
  };
  run().catch((error: Error) => output.destroy(error));
  const both = Duplex.from({ writable: input, readable: output });
  ended = new Promise((resolve) => both.once("close", resolve));
  return both;
}

before(async () => {
  api = await startApi({
    controlPlane: {
      exec: async () => echo(),
      knownBuild: async (_options, archive) =>
        archive === oldArchive ? { artifact, sizeBytes: 1, files: 1, kind: "node", processes: { web: "npm start" }, cached: true } : null,
      build: async function* (options: BuildOptions, source: Readable): AsyncGenerator<BuildProgress> {
        yield { kind: "step", message: "building" };
        built = { options, source: await text(source) };
        yield { kind: "done", result: { artifact, sizeBytes: 1, files: 1, kind: "node", processes: { web: "npm start" }, cached: false } };
      },
      logs: async function* (query: LogQuery): AsyncGenerator<LogLine> {
        asked = query;
        yield { instance: "default/a/web.1.aaaaa" as InstanceId, atMs: 1, sequence: 1, text: "\u001b]0;title\u0007", source: "app" };
      },
    },
  });
  await api.call("POST", "/v1/apply", { documents: [{ file: "a.yaml", text: "app: a\nrun: x\n" }] });
});
after(() => api[Symbol.asyncDispose]());

async function openTerminal(headers: Record<string, string> = {}): Promise<WebSocket> {
  const { ticket } = await api.call<{ ticket: string }>("POST", "/v1/spaces/default/apps/a/exec", { command: ["cat"] });
  const socket = new WebSocket(`ws://127.0.0.1:${api.port}/v1/exec/${ticket}`, { headers });
  await once(socket, "open");
  return socket;
}

async function nextMessage(socket: WebSocket): Promise<ExecOutput> {
  const [data] = (await once(socket, "message")) as [Buffer];
  return JSON.parse(String(data)) as ExecOutput;
}

test("a terminal's input reaches the command, its output and its exit code come back", async () => {
  const socket = await openTerminal();
  const base64 = Buffer.from("hello \u{1F411}").toString("base64");
  socket.send(JSON.stringify({ kind: "input", base64 }));
  assert.deepEqual(await nextMessage(socket), { kind: "output", stream: "stdout", base64 });
  socket.send(JSON.stringify({ kind: "end" }));
  assert.deepEqual(await nextMessage(socket), { kind: "exit", code: 7, signal: null });
  socket.close();
  await ended;
});

test("a terminal that goes away ends its command", async () => {
  const socket = await openTerminal();
  socket.terminate();
  await ended;
});

test("a terminal ends with the token that it was opened with, and an unused ticket is worth no more than it", async () => {
  const headers = await api.as("deployer", ["default"]);
  const prepare = () => api.call<{ ticket: string }>("POST", "/v1/spaces/default/apps/a/exec", { command: ["cat"] }, headers);
  const [used, unused] = [await prepare(), await prepare()];
  const socket = new WebSocket(`ws://127.0.0.1:${api.port}/v1/exec/${used.ticket}`);
  await once(socket, "open");
  const last = nextMessage(socket);
  await api.call("DELETE", "/v1/tokens/deployer-default");
  const told = await last;
  assert.equal(told.kind === "error" ? told.error.code : told.kind, "UNAUTHENTICATED");
  await ended;
  const late = new WebSocket(`ws://127.0.0.1:${api.port}/v1/exec/${unused.ticket}`);
  const [, response] = (await once(late, "unexpected-response")) as [unknown, IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 401);
  const [opened] = api.services.events
    .query({ app: "a" })
    .filter(({ kind }) => kind === "exec.opened")
    .slice(-1);
  assert.equal(opened?.message, 'deployer-default opened a command in "a"');
});

test("a ticket opens one terminal once, and none for another site's page", async () => {
  const { ticket } = await api.call<{ ticket: string }>("POST", "/v1/spaces/default/apps/a/exec", {});
  const address = `ws://127.0.0.1:${api.port}/v1/exec/${ticket}`;
  const refusal = async (socket: WebSocket) => {
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  assert.equal(await refusal(new WebSocket(address, { origin: "https://evil.example" })), 403);
  assert.equal(await refusal(new WebSocket(address, { headers: { host: "evil.example" } })), 403);
  const socket = new WebSocket(address);
  await once(socket, "open");
  socket.terminate();
  assert.equal(await refusal(new WebSocket(address)), 401);
  assert.equal(await refusal(new WebSocket(`ws://127.0.0.1:${api.port}/v1/exec/${"0".repeat(64)}`)), 401);
  assert.equal(await refusal(new WebSocket(`ws://127.0.0.1:${api.port}/v1/status`)), 405);
});

test("a terminal cannot start another command than its ticket's", async () => {
  const socket = await openTerminal();
  socket.send(JSON.stringify({ kind: "start", request: { where: { kind: "instance", instance: "b" }, command: ["sh"], terminal: null } }));
  const [code] = (await once(socket, "close")) as [number];
  assert.equal(code, 1008);
  await ended;
});

test("a build gets its source as a stream and its result is remembered before it is told", async () => {
  const answer = await api.fetch("POST", "/v1/builds?space=default&app=a&timeoutMs=1000", {
    body: "a tar",
    headers: { "content-type": "application/x-tar" },
  });
  const lines = (await answer.text())
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as BuildProgress);
  assert.deepEqual(
    lines.map(({ kind }) => kind),
    ["step", "done"],
  );
  assert.deepEqual([built?.source, built?.options.app, built?.options.timeoutMs], ["a tar", "a", 1_000]);
  const applied = await api.call<{ releases: unknown[] }>("POST", "/v1/apply", {
    documents: [{ file: "b.yaml", text: "app: b\nsource: .\n" }],
    artifacts: { b: artifact },
    cause: "push",
  });
  assert.equal(applied.releases.length, 1);
});

test("what an archive became before is told without it, and is remembered like a build", async () => {
  const known = await api.call<{ result: { artifact: string } | null }>(
    "POST",
    `/v1/builds/known?space=default&app=c&archive=${oldArchive}`,
  );
  assert.equal(known.result?.artifact, artifact);
  const other = await api.call<{ result: unknown }>("POST", `/v1/builds/known?space=default&app=c&archive=sha256:${"2".repeat(64)}`);
  assert.equal(other.result, null);
  const wrong = await api.fetch("POST", "/v1/builds/known?space=default&app=c&archive=abc");
  assert.equal(wrong.status, 400);
});

test("logs are asked for by prefix, and come raw, one a line", async () => {
  const answer = await api.fetch("GET", "/v1/spaces/default/apps/a/logs?tail=5&follow&contains=x&process=web");
  assert.equal(answer.headers.get("content-type"), "application/x-ndjson");
  assert.equal((JSON.parse(await answer.text()) as LogLine).text, "\u001b]0;title\u0007");
  assert.deepEqual(asked, { prefix: "default/a/web/", instance: null, tail: 5, sinceMs: null, follow: true, contains: "x" });
});

test("an app's status is told now and after each change", async () => {
  const stream = await api.fetch("GET", "/v1/spaces/default/apps/a/watch");
  await api.call("POST", "/v1/spaces/default/apps/a/stop", {});
  const [now, then] = (await readEvents(stream, 2)).map(({ data }) => (data as { stopped: boolean }).stopped);
  assert.deepEqual([now, then], [false, true]);
});

test("events are told as they happen, and a reader that comes back misses none", async () => {
  const stream = api.fetch("GET", "/v1/events/watch?space=default&app=a");
  const watching = await stream;
  await api.call("POST", "/v1/spaces/default/apps/a/start", {});
  const [started] = await readEvents(watching, 1);
  assert.equal((started?.data as { kind: string } | undefined)?.kind, "app.started");
  await api.call("POST", "/v1/spaces/default/apps/a/restart", {});
  await api.call("POST", "/v1/spaces/default/apps/a/stop", {});
  const resumed = await api.fetch("GET", "/v1/events/watch?space=default&app=a", { headers: { "last-event-id": String(started?.id) } });
  assert.deepEqual(
    (await readEvents(resumed, 2)).map(({ data }) => (data as { kind: string }).kind),
    ["app.restarted", "app.stopped"],
  );
  const { events } = await api.call<{ events: { kind: string }[] }>("GET", "/v1/events?app=a&limit=2");
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["app.restarted", "app.stopped"],
  );
});
