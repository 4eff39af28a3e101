import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createOutgoing } from "#host/outgoing.ts";
import type { LogEvent } from "#model/log-event.ts";
import { type DestinationManifest, destinationManifest } from "#model/log-shipping-schemas.ts";
import type { InstanceId, MachineId, SpaceName } from "#model/names.ts";
import { TestLogReceiver } from "../../../test/harness/log-receiver.ts";
import { testCertificate } from "../../../test/harness/test-certificate.ts";
import { deliver } from "./deliver.ts";
import { destinationsOf } from "./destinations.ts";
import { openReceiver } from "./open-receiver.ts";
import type { Receiver } from "./receiver.ts";
import { type ShippedEvent, shippedEvent } from "./shipped-event.ts";
import { syslogMessage } from "./syslog-receiver.ts";

const never = new AbortController().signal;
const python = join(import.meta.dirname, "..", "..", "..", "node_modules", ".cache", "drover-python");
const values: Record<string, string> = { TOKEN: "Bearer swordfish-1234", PASSWORD: "open sesame" };
const secrets = {
  latest: (_space: SpaceName, name: string) => (values[name] === undefined ? null : { name, version: 1, updatedAtMs: 0 }),
  reveal: (_space: SpaceName, name: string) => values[name] ?? "",
};

let tls: { readonly key: string; readonly cert: string };
let server: TestLogReceiver;
before(async () => {
  tls = await testCertificate();
  server = await TestLogReceiver.start(tls);
});
beforeEach(() => {
  server.taken.length = 0;
  server.requests = 0;
  server.answer = () => ({ status: 200 });
});
after(() => server[Symbol.asyncDispose]());

function receiver(manifest: Record<string, unknown>, allowed = ["127.0.0.1"]): Receiver {
  const ship = { one: destinationManifest.parse(manifest) as DestinationManifest };
  const [destination] = destinationsOf({ name: "shop" as SpaceName, domain: "", env: {}, createdAtMs: 0, logs: { ship } });
  assert.ok(destination !== undefined);
  return openReceiver(destination, { secrets, resolve: createOutgoing(allowed), clock: systemClock });
}
const url = () => `https://127.0.0.1:${server.port}`;

function event(sequence: number, more: Partial<LogEvent> = {}): ShippedEvent {
  return shippedEvent({
    machine: "m1" as MachineId,
    instance: "shop/api/web.7.k3f9b" as InstanceId,
    atMs: Date.UTC(2026, 4, 1, 14, 30, 0, 123),
    sequence,
    lines: 1,
    text: `line ${sequence}`,
    source: "app",
    level: null,
    statedAtMs: null,
    fields: {},
    ...more,
  });
}
const some = (count: number) => Array.from({ length: count }, (_, at) => event(at + 1));
const rich = event(9, {
  level: "error",
  text: 'Error: "x"]\n    at \ud800',
  fields: { ms: 1.5, ok: true, "user.id": "7", none: null },
  statedAtMs: 1,
});
/** What stands in an answer's place, for whichever of them. */
const outcomeOf = async (to: Receiver, events: readonly ShippedEvent[] = some(3)) => {
  const outcome = await to.send(events, never);
  to.close();
  return outcome;
};

test("JSON lines come with credentials over a verified connection, and an id for each", async () => {
  const to = receiver({ http: `${url()}/in?x=1`, ca: tls.cert, headers: { Authorization: "TOKEN" } });
  assert.deepEqual(await outcomeOf(to), { kind: "taken", refused: [] });
  const [{ path, headers, body } = assert.fail("nothing came")] = server.taken;
  assert.equal(path, "/in?x=1");
  assert.equal(headers.authorization, values["TOKEN"]);
  const lines = body
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; time: string; app: string });
  assert.equal(new Set(lines.map(({ id }) => id)).size, 3);
  assert.deepEqual([lines[0]?.time, lines[0]?.app], ["2026-05-01T14:30:00.123Z", "api"]);
});

test("nothing is sent to whoever has no certificate that is trusted, nor to an address inside that is not allowed", async () => {
  for (const host of ["127.1", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]", "169.254.169.254", "100.100.100.200", "168.63.129.16"])
    assert.match(JSON.stringify(await outcomeOf(receiver({ http: `http://${host}/` }, []))), /"failed".*which is inside/, host);
  const strange = await outcomeOf(receiver({ http: url() }));
  assert.ok(strange.kind === "failed" && /self-signed certificate/.test(strange.why), JSON.stringify(strange));
  const inside = await outcomeOf(receiver({ http: url(), ca: tls.cert }, []));
  assert.ok(inside.kind === "failed" && /which is inside/.test(inside.why), JSON.stringify(inside));
  assert.equal(server.requests, 0);
});

test("a port that speaks no TLS is said to be none, in words of ours", async () => {
  const plain = net.createServer((socket) => socket.on("error", () => socket.destroy()).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await once(plain.listen(0, "127.0.0.1"), "listening");
  const { port } = plain.address() as AddressInfo;
  try {
    for (const manifest of [{ http: `https://127.0.0.1:${port}/in` }, { syslog: `127.0.0.1:${port}` }]) {
      const outcome = await outcomeOf(receiver(manifest));
      assert.ok(outcome.kind === "failed" && /does not speak TLS/.test(outcome.why), JSON.stringify(outcome));
    }
  } finally {
    plain.close();
  }
});

test("what an answer says decides whether the same is sent again, and no secret comes back with it", async () => {
  const http = () => receiver({ http: url(), ca: tls.cert, headers: { Authorization: "TOKEN" } });
  server.answer = ({ headers }) => ({ status: 403, body: `who is ${headers.authorization}? swordfish-1234!` });
  assert.deepEqual(await outcomeOf(http()), { kind: "failed", why: "answered 403: who is ******? ******!", retryAfterMs: null });
  server.answer = ({ headers }) => ({ status: 403, body: `${"x".repeat(290)} ${headers.authorization}` });
  const cut = await outcomeOf(http());
  assert.ok(cut.kind === "failed" && !cut.why.includes("Bearer") && cut.why.length < 400, JSON.stringify(cut));
  server.answer = () => ({ status: 429, headers: { "retry-after": "7" } });
  assert.deepEqual(await outcomeOf(http()), { kind: "failed", why: "answered 429", retryAfterMs: 7_000 });
  server.answer = () => ({ status: 302, headers: { location: "https://elsewhere.example" } });
  assert.deepEqual(await outcomeOf(http()), { kind: "failed", why: "answered 302, and redirects are not followed", retryAfterMs: null });
  for (const status of [400, 413, 422]) {
    server.answer = () => ({ status, body: "no\nnever" });
    assert.deepEqual(await outcomeOf(http()), { kind: "refused", why: `answered ${status}: no never` });
  }
  delete values["TOKEN"];
  const unset = await outcomeOf(http());
  assert.ok(unset.kind === "failed" && /secret "TOKEN" of space "shop" is not set/.test(unset.why));
  values["TOKEN"] = "Bearer swordfish-1234";
});

test("a bulk request creates each event under its id, and the answer to each counts", async () => {
  const to = () => receiver({ elasticsearch: `${url()}/es/?pipeline=p`, ca: tls.cert, user: "me", password: "PASSWORD" });
  const statuses = (...of: number[]) => ({
    status: 200,
    body: JSON.stringify({ errors: true, items: of.map((status) => ({ create: { status, error: { type: "odd", reason: "told" } } })) }),
  });
  server.answer = () => ({ status: 200, body: '{"errors":false}' });
  assert.deepEqual(await outcomeOf(to(), [rich]), { kind: "taken", refused: [] });
  const [{ path, headers, body } = assert.fail("nothing came")] = server.taken;
  assert.match(path, /^\/es\/_bulk\?pipeline=p&filter_path=errors,/);
  assert.equal(headers.authorization, `Basic ${Buffer.from("me:open sesame").toString("base64")}`);
  assert.ok(body.endsWith("\n"), "the last line too");
  const [action = {}, document = {}] = body
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(action, { create: { _index: "logs-drover-shop", _id: rich.id } });
  assert.deepEqual(document["labels"], { ok: "true", user_id: "7" });
  assert.deepEqual(document["numeric_labels"], { ms: 1.5 });
  assert.deepEqual(document["log"], { level: "error" });
  assert.equal(document["@timestamp"], "1970-01-01T00:00:00.001Z");

  server.answer = () => statuses(201, 409, 400);
  const outcome = await outcomeOf(to());
  assert.ok(outcome.kind === "taken");
  assert.deepEqual(
    outcome.refused.map(({ event: { sequence }, why }) => [sequence, why]),
    [[3, "answered 400 to an event: odd: told"]],
  );
  server.answer = () => statuses(201, 400, 429);
  assert.equal((await outcomeOf(to())).kind, "failed", "what it has no room for now comes again, and the others are known by their ids");
  server.answer = () => statuses(201);
  assert.equal((await outcomeOf(to())).kind, "failed", "an answer for fewer events than were sent is none");
  server.answer = () => ({ status: 200, body: "<html>" });
  assert.equal((await outcomeOf(to())).kind, "failed");
});

test("OTLP is what its official schema reads, and a partial success says how many were refused", async (t) => {
  const to = () => receiver({ otlp: url(), ca: tls.cert });
  assert.equal((await outcomeOf(to(), [...some(2), rich])).kind, "taken");
  const [{ path, body } = assert.fail("nothing came")] = server.taken;
  assert.equal(path, "/v1/logs");
  server.answer = () => ({ status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}' });
  const partial = await outcomeOf(to());
  assert.ok(partial.kind === "taken" && partial.refused.length === 2);
  if (!existsSync(join(python, "opentelemetry-proto"))) return t.skip("OTLP was not read by its official schema: it is not here");
  const read = [
    "import sys, json",
    "from google.protobuf import json_format",
    "from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest",
    // Names that the schema does not have are an error here.
    "request = json_format.Parse(sys.stdin.read(), ExportLogsServiceRequest())",
    "(of,) = request.resource_logs",
    "(scope,) = of.scope_logs",
    "last = scope.log_records[-1]",
    "print(json.dumps({'resource': {a.key: a.value.string_value for a in of.resource.attributes}, 'records': len(scope.log_records),",
    "  'severity': last.severity_number, 'time': last.time_unix_nano, 'observed': last.observed_time_unix_nano,",
    "  'body': last.body.string_value, 'attributes': {a.key: a.value.WhichOneof('value') for a in last.attributes}}))",
  ].join("\n");
  const { stdout, stderr, status } = spawnSync(join(python, "bin", "python"), ["-c", read], {
    input: body,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), {
    resource: {
      "service.name": "api",
      "service.namespace": "shop",
      "service.version": "7",
      "service.instance.id": "shop/api/web.7.k3f9b",
      "host.name": "m1",
      "drover.process": "web",
    },
    records: 3,
    severity: 17,
    time: 1_000_000,
    observed: 1_777_645_800_123_000_000,
    body: 'Error: "x"]\n    at \ufffd',
    attributes: { "log.record.uid": "string_value", ms: "double_value", ok: "bool_value", "user.id": "string_value" },
  });
});

test("a receiver that answers with another protocol, or never ends a connection, has failed and holds up nothing", async () => {
  const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (chunk) => {
      if (chunk.toString().startsWith("POST "))
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
      else listener.emit("batch");
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const at = `127.0.0.1:${(listener.address() as AddressInfo).port}`;
  assert.deepEqual(await outcomeOf(receiver({ http: `http://${at}` })), { kind: "failed", why: "answered 101", retryAfterMs: null });
  const stop = new AbortController();
  const sent = receiver({ syslog: at, tls: "off" }).send(some(1), stop.signal);
  await once(listener, "batch");
  stop.abort(new Error("the server stops"));
  // An error that nobody hears would be the failure of this file.
  await assert.rejects(sent, /the server stops/);
  await new Promise((resolve) => setImmediate(resolve));
  listener.close();
});

test("a syslog message has what RFC 5424 wants where it wants it", () => {
  assert.equal(
    syslogMessage(rich),
    '<11>1 2026-05-01T14:30:00.123Z m1 api web.7.k3f9b - [meta sequenceId="9"][drover@32473 space="shop" app="api" process="web" release="7" ' +
      `instance="web.7.k3f9b" machine="m1" id="${rich.id}" level="error"] Error: "x"]\n    at \ud800`,
  );
  const odd = syslogMessage(event(2 ** 31, { machine: 'a b"]\\é' as MachineId }));
  assert.match(odd, /^<14>1 \S+ a\?b"\]\\\? api /);
  assert.match(odd, /machine="a b\\"\\\]\\\\é"/);
  assert.match(odd, /sequenceId="1"\]/);
});

test("a syslog batch counts as sent once the receiver has read it to its end, and not if it dies before", async () => {
  let isToDie = false;
  let got = "";
  const listener = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    if (isToDie) return void socket.once("data", () => socket.resetAndDestroy());
    socket.on("data", (chunk) => (got += chunk)).on("end", () => socket.end());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const to = receiver({ syslog: `127.0.0.1:${(listener.address() as AddressInfo).port}`, tls: "off" });
  assert.deepEqual(await to.send([rich, event(1)], never), { kind: "taken", refused: [] });
  const bytes = Buffer.from(got);
  const length = Number.parseInt(got, 10);
  const start = String(length).length + 1;
  assert.equal(bytes.toString("utf8", start, start + length), syslogMessage(rich).toWellFormed(), "its length is before it, in bytes");
  isToDie = true;
  assert.equal((await to.send(some(1), never)).kind, "failed");
  listener.close();
});

test("a batch that is refused is halved until what cannot be taken stands alone, with a bound", async () => {
  let requests = 0;
  const refusing = (isBad: (event: ShippedEvent) => boolean): Receiver => ({
    send: async (events) => {
      requests++;
      return events.some(isBad) ? { kind: "refused", why: "no" } : { kind: "taken", refused: [] };
    },
    close: () => undefined,
  });
  const alone = await deliver(
    refusing(({ sequence }) => sequence === 77),
    some(500),
    never,
  );
  assert.ok(alone.kind === "taken");
  assert.deepEqual(
    alone.refused.map((one) => one.event.sequence),
    [77],
  );
  requests = 0;
  const all = await deliver(
    refusing(() => true),
    some(500),
    never,
  );
  assert.ok(all.kind === "taken" && all.refused.length === 500);
  assert.ok(requests <= 32, `${requests} requests`);
  assert.deepEqual(
    await deliver(
      refusing(() => true),
      [],
      never,
    ),
    { kind: "taken", refused: [] },
    "nothing is nothing to send",
  );
});
