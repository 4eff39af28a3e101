import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { DroverError, hasCode } from "#model/errors.ts";
import { backUp } from "./backups.ts";
import { Damage } from "./records.ts";
import { writeMeta } from "./schema.ts";
import { checkSqliteVersion, openDatabase } from "./sqlite-database.ts";
import { storeFiles } from "./store-files.ts";
import { openIn, temporaryFolder } from "./testing/temporary-store.ts";
import { verifyFile } from "./verify.ts";

/** Bytes that are flipped, one at a time; all 4,096 take half a minute. */
const flips = process.env["DROVER_FULL"] === "1" ? 4_096 : 512;

/** A store as a killed server leaves it: a database, and a log that was not moved into it yet. */
async function killedStore(context: TestContext) {
  const folder = await temporaryFolder(context);
  let store = await openIn(folder);
  for (let n = 0; n < 60; n++)
    await store.commit({ changes: [{ kind: "put", key: `/k/${n % 40}`, value: Buffer.from(`${n} `.repeat(n * 10)) }] });
  await store.compact(20);
  await store.close();
  // With this reserve the log is not moved into the database before it has 2 MiB.
  store = await openIn(folder, { reserveBytes: 8 * 1024 * 1024 });
  for (let n = 0; n < 30; n++) {
    await store.commit({
      changes: [
        { kind: "put", key: `/late/${n}`, value: Buffer.from("late ".repeat(50)) },
        { kind: "delete", key: `/k/${n}` },
      ],
    });
  }
  const image = await temporaryFolder(context);
  cpSync(folder, image, { recursive: true, filter: (file) => !file.endsWith("reserve") });
  const content = { revision: store.revision, list: store.list("") };
  await store.close();
  return { image, content, closed: folder };
}

/** Opens a copy of `image` after `harm` was done to it: what it holds, or that it is damaged. */
async function openHarmed(context: TestContext, image: string, harm: (files: ReturnType<typeof storeFiles>) => void) {
  const folder = await temporaryFolder(context);
  cpSync(image, folder, { recursive: true });
  harm(storeFiles(folder));
  try {
    const store = await openIn(folder);
    const content = { revision: store.revision, list: store.list("") };
    await store.close();
    return content;
  } catch (error) {
    if (hasCode(error, "STORE_DAMAGED")) return "damaged";
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function flipBit(file: string, random: () => number): void {
  const content = readFileSync(file);
  const at = Math.floor(random() * content.length);
  content[at] = (content[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  writeFileSync(file, content);
}

/** Mulberry32: a small generator with a seed, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("a store that was killed opens with all that it held", async (t) => {
  const { image, content } = await killedStore(t);
  assert.deepEqual(await openHarmed(t, image, () => {}), content);
});

test(`each of ${flips} flipped bits in the database is found, or changes nothing of what is read`, async (t) => {
  const { closed } = await killedStore(t);
  const { database } = storeFiles(closed);
  const whole = readFileSync(database);
  const before = verifyFile(database, openDatabase);
  const copy = join(await temporaryFolder(t), "store.db");
  let found = 0;
  for (let seed = 0; seed < flips; seed++) {
    writeFileSync(copy, whole);
    flipBit(copy, seeded(seed));
    try {
      assert.deepEqual(verifyFile(copy, openDatabase), before, `seed ${seed}: a flipped bit went unnoticed`);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      found++;
    }
  }
  assert.ok(found > flips / 2, `only ${found} of ${flips} were found`);
});

test("each page of the database that turns to zeros is found, or held nothing", async (t) => {
  const { closed } = await killedStore(t);
  const { database } = storeFiles(closed);
  const whole = readFileSync(database);
  const before = verifyFile(database, openDatabase);
  const copy = join(await temporaryFolder(t), "store.db");
  for (let at = 0; at < whole.length; at += 4_096) {
    writeFileSync(copy, Buffer.concat([whole.subarray(0, at), Buffer.alloc(4_096), whole.subarray(at + 4_096)]));
    try {
      assert.deepEqual(verifyFile(copy, openDatabase), before, `page at ${at}`);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
    }
  }
});

test("a log with a flipped bit, or cut anywhere, is found, or nothing was lost", async (t) => {
  const { image, content } = await killedStore(t);
  let found = 0;
  for (let seed = 0; seed < 60; seed++) {
    const random = seeded(seed);
    const harmed = await openHarmed(t, image, ({ log }) => {
      if (seed % 2 === 0) flipBit(log, random);
      else truncateSync(log, Math.floor(random() * readFileSync(log).length));
    });
    if (harmed === "damaged") found++;
    else assert.deepEqual(harmed, content, `seed ${seed}`);
  }
  assert.ok(found > 40, `only ${found} of 60 were found`);
});

test("a log that is gone with acknowledged commits in it is found", async (t) => {
  const { image } = await killedStore(t);
  assert.equal(await openHarmed(t, image, ({ log }) => rmSync(log)), "damaged");
});

test("a database that is gone, empty, or no database is found", async (t) => {
  const { image } = await killedStore(t);
  assert.equal(await openHarmed(t, image, ({ database }) => rmSync(database)), "damaged");
  assert.equal(await openHarmed(t, image, ({ database }) => truncateSync(database, 0)), "damaged");
  assert.equal(await openHarmed(t, image, ({ database }) => writeFileSync(database, "hello, this is no database ".repeat(200))), "damaged");
});

test("a witness that cannot be read is no reason to refuse a whole store", async (t) => {
  const { image, content } = await killedStore(t);
  assert.deepEqual(await openHarmed(t, image, ({ witness }) => writeFileSync(witness, "")), content);
  assert.deepEqual(await openHarmed(t, image, ({ witness }) => flipBit(witness, seeded(1))), content);
});

test("damage is told with its place and the command that restores the newest good backup, and nothing is changed", async (t) => {
  const folder = await temporaryFolder(t);
  const { backups, database } = storeFiles(folder);
  const store = await openIn(folder);
  const put = (value: string) => store.commit({ changes: [{ kind: "put", key: "/k", value: Buffer.from(value) }] });
  await put("one");
  const good = (await backUp(store, backups)) ?? assert.fail();
  await put("two");
  const bad = (await backUp(store, backups)) ?? assert.fail();
  await put("needle");
  await store.close();
  truncateSync(bad.file, 5_000);
  const content = readFileSync(database);
  content.write("noodle", content.indexOf("needle"));
  writeFileSync(database, content);

  const restoreCommand = (file: string) => `drover server --home /h --restore ${file}`;
  const error = await openIn(folder, { restoreCommand }).then(
    () => assert.fail("opened"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof DroverError && error.code === "STORE_DAMAGED");
  assert.match(error.message, /the record at place \d+ \("\/k"\) does not fit its checksum/);
  assert.match(error.hint, /revision 1, the newest good backup, would change, .*, run: /);
  assert.ok(error.hint.endsWith(`run: drover server --home /h --restore ${good.file}`), error.hint);
  assert.deepEqual(readFileSync(database), content);
});

test("a store of a newer Drover is not touched", async (t) => {
  const folder = await temporaryFolder(t);
  await openIn(folder).then((store) => store.close());
  const database = new DatabaseSync(storeFiles(folder).database);
  writeMeta(database, { schema: 99 });
  database.close();
  await assert.rejects(openIn(folder), { code: "STORE_TOO_NEW", message: /schema 99/ });
});

test("an SQLite that can lose data is refused", () => {
  for (const version of ["3.51.2", "3.50.9", "2.99.99"]) assert.throws(() => checkSqliteVersion(version), { code: "RUNTIME_TOO_OLD" });
  for (const version of ["3.51.3", "3.53.0", "4.0.0"]) checkSqliteVersion(version);
  checkSqliteVersion();
});
