import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePorts } from "#host/testing/free-ports.ts";
import { root, TestDrover } from "../harness/drover.ts";
import { TestLogReceiver } from "../harness/log-receiver.ts";
import { rsyslogMissing, TestRsyslog } from "../harness/rsyslog.ts";

const talks = join(root, "test/fixtures/talks.mjs");
/** With this many lines of 200 bytes there are several batches. */
const many = 4_000;

let drover: TestDrover;
let receiver: TestLogReceiver;
before(async () => {
  receiver = await TestLogReceiver.start();
  drover = await TestDrover.prepare();
});
after(async () => {
  await drover[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

interface Event {
  readonly id: string;
  readonly app: string;
  readonly text: string;
}
const eventsOf = (app: string) => (receiver.events as unknown as Event[]).filter((event) => event.app === app);
const numbersOf = (app: string) => new Set(eventsOf(app).map(({ text }) => Number(text.split(" ")[1])));
const shipping = async (name: string) => {
  const { destinations } = JSON.parse(await drover.run("shipping", "ls", "--json")) as { destinations: { name: string; sent: number }[] };
  return destinations.find((one) => one.name === name);
};

test("a server that is killed between a batch's being taken and its being noted sends that batch again, and nothing else twice", async () => {
  drover.launch(["--allow-outgoing", "127.0.0.1"], { DROVER_FAILPOINTS: "logs.shipped.before-note=kill@2" });
  await drover.ready();
  await drover.apply(`space: shop\nlogs: { ship: { lake: { http: 'http://127.0.0.1:${receiver.port}/in' } } }`);
  await drover.apply(
    `space: shop\nlogs: { ship: { lake: { http: 'http://127.0.0.1:${receiver.port}/in' } } }\n---\napp: talks\nrun: node ${talks} ${many}\nport: none\n`,
    "--detach",
  );
  await drover.until("all lines came", async () => numbersOf("talks").size === many);
  const ids = eventsOf("talks").map(({ id }) => id);
  assert.equal(new Set(ids).size, many, "an event has one id, however often it comes");
  const batches = receiver.taken.map(({ body }) =>
    body
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as Event).id),
  );
  const twice = batches.filter((batch, at) => batches.some((other, before) => before < at && other[0] === batch[0]));
  assert.ok(twice.length > 0, "it was killed at that place");
  assert.equal(ids.length - many, twice.flat().length, "what came twice are whole batches");
  // What the agent starts from here on is not killed there any more.
  await drover.kill("agent");
  await drover.up(["--allow-outgoing", "127.0.0.1"]);
});

test("what is printed while a receiver takes nothing waits, whoever is killed meanwhile, and then comes once, without secrets", async () => {
  let asked = 0;
  receiver.answer = () => {
    asked++;
    return { status: 503, headers: { "retry-after": "1" }, body: "too much to do" };
  };
  await drover.cli(["secret", "set", "API_KEY", "--space", "shop"], { input: "hunter2-hunter2" });
  const manifest = `app: later\nrun: echo "key $API_KEY"; exec node ${talks} 500\nport: none\nsecrets: [API_KEY]\n`;
  await drover.apply(manifest, "--space", "shop");
  // What an app has printed and its agent has not read yet goes with the agent: that is no loss of what is sent.
  await drover.until("all is kept", async () => (await drover.run("logs", "shop/later")).includes("line 500 "));
  await drover.until("the receiver was asked", async () => asked > 0);
  await drover.kill("agent");
  await drover.up(["--allow-outgoing", "127.0.0.1"]);
  await drover.kill("server");
  await drover.ready();
  await drover.until("it says what it waits for", async () => (await drover.run("shipping", "ls")).includes("503: too much to do"));
  assert.equal(numbersOf("later").size, 0);
  receiver.answer = () => ({ status: 200 });
  await drover.until("all came", async () => numbersOf("later").size === 501);
  const events = eventsOf("later");
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length, "none came twice");
  assert.ok(events.some(({ text }) => text === "key ******"));
  assert.doesNotMatch(JSON.stringify(receiver.taken), /hunter2/);
});

test("rsyslog takes lines over TLS with all their parts, and those of its absence when it is back", async (t) => {
  const missing = rsyslogMissing();
  if (missing !== null) return t.skip(`sending logs to rsyslog was not tested: ${missing}`);
  const [port = 0] = await freePorts(1);
  await using rsyslog = await TestRsyslog.prepare(port);
  const ca = JSON.stringify(rsyslog.ca);
  const destination = `{ syslog: '127.0.0.1:${port}', ca: ${ca}, search: "level>=info" }`;
  await drover.apply(`space: system\nlogs: { ship: { syslog: ${destination} } }`);
  const says = `printf 'Error: "broken"]\\n    at main (a.js:1:2)\\n'; echo 'DEBUG not this'; for i in 1 2 3; do echo "WARN line $i"; done; exec sleep 1000`;
  await drover.apply(`app: says\nrun: ${JSON.stringify(says)}\nport: none\n`, "--space", "system");
  await drover.until("it is found to be away", async () => (await drover.run("shipping", "ls")).includes("ECONNREFUSED"));
  await rsyslog.start();
  await drover.until("all came", async () => (await rsyslog.kept()).length >= 4);
  const [trace = "", ...lines] = await rsyslog.kept();
  assert.match(
    trace,
    /^11\|[^|]+\|says\|web\.1\.\w+\|-\|\[meta sequenceId="1"\]\[drover@32473 space="system" app="says" process="web" release="1" /,
  );
  assert.match(trace, /level="error"\]\|\s?Error: "broken"\]#012 {4}at main \(a\.js:1:2\)$/, "it is one message");
  assert.deepEqual(
    lines.map((line) => line.split("|").at(-1)?.trim()),
    ["WARN line 1", "WARN line 2", "WARN line 3"],
  );
  await drover.until("it is noted", async () => (await shipping("syslog"))?.sent === 4);
});
