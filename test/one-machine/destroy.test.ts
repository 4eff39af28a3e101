import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { TestDrover } from "../harness/drover.ts";

/** Adds a line to a file in its volume at each start, prints all lines, and takes its time to stop. */
const notes = (stop = "") => `
app: notes
run: echo start >> $DATA_DIR/starts; wc -l < $DATA_DIR/starts; ${stop} while :; do sleep 0.05; done
port: none
volumes: { data: {} }
stop: { drain: 0s, grace: 30s }
`;
const slow = notes(`trap 'while [ ! -e $DATA_DIR/go ]; do sleep 0.05; done; exit 0' TERM;`);

const starts = (drover: TestDrover) => drover.run("exec", "notes", "--", "sh", "-c", "wc -l < $DATA_DIR/starts");
const volumes = (drover: TestDrover) => join(drover.home, "agent", "volumes", "default");

test("a destroyed app leaves neither files nor lines, and one of its name finds nothing", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(notes());
  await drover.apply(`${notes()}env: { A: "1" }\n`);
  assert.equal((await starts(drover)).trim(), "2", "a volume outlives releases");
  await drover.run("destroy", "notes", "--yes");
  assert.deepEqual(await readdir(volumes(drover)), []);
  assert.deepEqual(
    (await readdir(join(drover.home, "agent", "logs"), { recursive: true })).filter((name) => name.includes("notes")),
    [],
  );
  await drover.apply(notes());
  assert.equal((await starts(drover)).trim(), "1");
  assert.equal((await drover.run("logs", "notes", "-n", "100")).match(/1$/gm)?.length, 1, "no line of the one before");
});

test("an app that is declared again while it is destroyed waits for that, also over a death of the server, and starts with empty volumes", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(slow);
  await drover.run("destroy", "notes", "--yes", "--detach");
  const first = join(volumes(drover), "notes", "data");
  await drover.apply(notes(), "--detach");
  const status = async () => JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/notes")).body);
  const { health, reasons } = await status();
  assert.equal(health, "destroying");
  assert.match(reasons[0].message, /starts anew after that/);
  assert.deepEqual(await readdir(first), ["starts"], "the files stay until the last instance has ended");
  await drover.kill("server");
  await writeFile(join(first, "go"), "");
  await drover.until("the new one runs", async () => (await status()).health === "ready");
  assert.equal((await starts(drover)).trim(), "1");
  assert.deepEqual(await readdir(first), ["starts"]);
});
