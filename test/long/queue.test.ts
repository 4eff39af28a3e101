import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { TestDrover } from "../harness/drover.ts";

/** Figures come every 15 seconds. */
const patienceMs = 120_000;

test("a worker without a port sleeps while its queue is empty, has as many as what waits takes, and sleeps again", async () => {
  await using drover = await TestDrover.start();
  const length = await drover.file("length", "0");
  const broker = await drover.file(
    "broker.mjs",
    `import { readFileSync } from "node:fs";
import { createServer } from "node:http";
createServer((request, response) => response.end("jobs_waiting " + readFileSync(${JSON.stringify(length)}, "utf8") + "\\n")).listen(Number(process.env.PORT), "127.0.0.1");
`,
  );
  const metric = "{ name: jobs_waiting, each: 5, over: 30s, fn: last }";
  const scale = `{ min: 0, max: 3, idle_after: 1s, down_after: 1s, on: { metric: ${metric} } }`;
  await drover.apply(
    `app: broker\nrun: exec node ${broker}\nmetrics: /\n---\napp: worker\nprocesses: { job: { run: sleep 1000, scale: ${scale} } }\n`,
  );
  const wants = async (count: number) => JSON.parse(await drover.run("scale", "worker", "--json")).processes[0].wanted === count;
  await drover.until("nothing waits, and it has no instances", () => wants(0), patienceMs);
  assert.match(await drover.run("why", "worker"), /the first request, or what jobs_waiting counts, starts one/);
  await writeFile(length, "12");
  await drover.until("it has as many as that takes", () => wants(3), patienceMs);
  assert.match(await drover.run("events", "worker"), /from 0 to 1: jobs_waiting is 12, 5 for each instance/);
  await writeFile(length, "0");
  await drover.until("it sleeps again", () => wants(0), patienceMs);
});
