import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts } from "#host/testing/free-ports.ts";
import { root, TestDrover } from "../harness/drover.ts";
import { TestVictoriaLogs, victoriaLogs } from "../harness/victoria-logs.ts";

const talks = join(root, "test/fixtures/talks.mjs");
/** With this many lines of 200 bytes there are several batches. */
const many = 4_000;

const program = victoriaLogs();
const skip = program === null ? "VictoriaLogs is not here and could not be built with Go: what it takes of logs was not tested" : false;

test("VictoriaLogs takes events by _bulk with their times, levels and fields, and all of them through a kill and a full disk", {
  skip,
}, async () => {
  const [port = 0] = await freePorts(1);
  await using receiver = await TestVictoriaLogs.prepare(program ?? "", port);
  await receiver.start();
  await using drover = await TestDrover.prepare();
  const outgoing = ["--allow-outgoing", "127.0.0.1"];
  drover.launch(outgoing, { DROVER_FAILPOINTS: "logs.shipped.before-note=kill@2" });
  await drover.ready();
  const parameters = "_time_field=@timestamp&_msg_field=message&_stream_fields=service.namespace,service.name";
  const space = `space: shop\nlogs: { ship: { victoria: { elasticsearch: "http://127.0.0.1:${port}/insert/elasticsearch/?${parameters}" } } }`;
  const app = (name: string, run: string) => `${space}\n---\napp: ${name}\nrun: ${JSON.stringify(run)}\nport: none\n`;
  const countOf = async (name: string) => {
    const [of] = await receiver.query(`service.name:=${name} | stats count() rows, count_uniq(event.id) ids`);
    return { rows: Number(of?.["rows"]), ids: Number(of?.["ids"]) };
  };
  await drover.apply(space);
  await drover.apply(app("talks", `exec node ${talks} ${many}`), "--detach");
  await drover.until("all lines came", async () => (await countOf("talks")).ids === many);
  const { rows } = await countOf("talks");
  assert.ok(rows > many && rows < 2 * many, `the batch that was not noted came twice, and no other: ${rows}`);
  // What the agent starts from here on is not killed there any more.
  await drover.kill("agent");
  await drover.up(outgoing);

  const stated = `{"time":"'$(date -u +%FT%TZ)'","level":"warn","msg":"disk is full","took_ms":12.5,"user":{"id":"u7"}}`;
  await drover.apply(app("says", `echo '${stated}'; exec sleep 1000`), "--detach");
  // What was counted a moment ago may not be shown yet.
  const events: Readonly<Record<string, string>>[] = [];
  await drover.until("it is shown", async () => events.push(...(await receiver.query("service.name:=says"))) > 0);
  const [event = {}] = events;
  assert.equal(event["_time"], event["labels.time"], "the time that it states");
  assert.match(event["_msg"] ?? "", /disk is full/);
  const parts = ["_stream", "log.level", "labels.user_id", "numeric_labels.took_ms", "service.version", "service.node.role"];
  assert.deepEqual(
    parts.map((part) => event[part]),
    ['{service.name="says",service.namespace="shop"}', "warn", "u7", "12.5", "1", "web"],
  );

  await receiver.start("-storage.minFreeDiskSpaceBytes=100TB");
  await drover.apply(app("later", `exec node ${talks} 500`), "--detach");
  await drover.until("it has no room", async () => (await drover.run("shipping", "ls")).includes("answered 429"));
  await receiver.start();
  await drover.until("all came", async () => (await countOf("later")).ids === 500);
  assert.equal((await countOf("later")).rows, 500, "none came twice");
});
