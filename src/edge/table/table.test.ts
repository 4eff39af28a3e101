import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { InstanceId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { readPatch, readTable } from "./read-table.ts";
import { Table } from "./table.ts";
import { loadTable, TableWriter, tableFile } from "./table-file.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });

function route(id: string, port: number): Route {
  return {
    id: id as RouteId,
    space: "s",
    app: "a",
    process: "web",
    listener: { kind: "public", host: `${id}.test`, path: "/" },
    targets: [{ release: 1, weight: 1, endpoints: [{ instance: `s/a/web.1.${port}` as InstanceId, host: "127.0.0.1", port }] }],
  };
}

test("a table that is older than the one in force is refused, an equal one is taken again", () => {
  const table = new Table({ epoch: 2, revision: 5, routes: [route("a", 1)] });
  for (const [epoch, revision] of [
    [1, 9],
    [2, 4],
  ] as const)
    assert.throws(() => table.replace({ epoch, revision, routes: [] }), { code: "ORDER_OUTDATED" });
  assert.deepEqual(table.replace({ epoch: 2, revision: 5, routes: [route("a", 1)] }), { set: [], remove: [] });
  assert.deepEqual(table.replace({ epoch: 3, revision: 1, routes: [] }), { set: [], remove: ["a"] });
});

test("a patch that does not start from the table in force changes nothing", () => {
  const table = new Table({ epoch: 2, revision: 5, routes: [route("a", 1)] });
  const patch = { set: [route("b", 2)], remove: ["a" as RouteId] };
  for (const [epoch, from] of [
    [2, 4],
    [2, 6],
    [3, 5],
  ] as const)
    assert.throws(() => table.patch({ ...patch, epoch, from, revision: 9 }), { code: "CONFLICT" });
  assert.throws(() => table.patch({ ...patch, epoch: 2, from: 5, revision: 4 }), { code: "ORDER_OUTDATED" });
  assert.deepEqual(table.routes(), [route("a", 1)]);
});

const routes = fc
  .dictionary(fc.constantFrom("a", "b", "c", "d", "e"), fc.integer({ min: 1, max: 4 }))
  .map((ports) => Object.entries(ports).map(([id, port]) => route(id, port)));
const byId = (all: readonly Route[]) => new Map(all.map((one) => [one.id, one]));

test("any history of tables and patches ends at what was sent last, and the changes alone lead there too", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ wanted: routes, whole: fc.boolean() }), { maxLength: 12 }), (history) => {
      const table = new Table({ epoch: 1, revision: 0, routes: [] });
      const mirror = new Map<RouteId, Route>();
      for (const { wanted, whole } of history) {
        const before = byId(table.routes());
        const after = byId(wanted);
        const { epoch, revision } = table.version;
        const change = whole
          ? table.replace({ epoch, revision: revision + 1, routes: wanted })
          : table.patch({
              epoch,
              from: revision,
              revision: revision + 1,
              set: wanted.filter((one) => JSON.stringify(before.get(one.id)) !== JSON.stringify(one)),
              remove: [...before.keys()].filter((id) => !after.has(id)),
            });
        for (const id of change.remove) assert.ok(mirror.delete(id), "only what is there is removed");
        for (const one of change.set) {
          assert.notDeepEqual(mirror.get(one.id), one, "only what differs is set");
          mirror.set(one.id, one);
        }
        assert.deepEqual(byId(table.routes()), after);
        assert.deepEqual(mirror, after);
      }
    }),
  );
});

test("what does not fit is refused with its place", () => {
  const good = { epoch: 1, revision: 1, routes: [route("a", 1)] };
  assert.deepEqual(readTable(JSON.parse(JSON.stringify(good))), good);
  for (const [value, place] of [
    [null, '"table"'],
    [[], '"table"'],
    [{ ...good, epoch: -1 }, "table.epoch"],
    [{ ...good, revision: 1.5 }, "table.revision"],
    [{ ...good, routes: {} }, "table.routes"],
    [{ ...good, routes: [{ ...route("a", 1), id: 5 }] }, "routes.0.id"],
    [{ ...good, routes: [{ ...route("a", 1), listener: { kind: "public", host: "a", path: "x" } }] }, "routes.0.listener.path"],
    [{ ...good, routes: [{ ...route("a", 1), listener: { kind: "service", port: 70_000, protocol: "tcp" } }] }, "routes.0.listener.port"],
    [{ ...good, routes: [{ ...route("a", 1), targets: [{ release: 1, weight: -1, endpoints: [] }] }] }, "routes.0.targets.0.weight"],
    [{ ...good, routes: [route("a", 0)] }, "routes.0.targets.0.endpoints.0.port"],
  ] as const)
    assert.throws(
      () => readTable(value),
      (error: Error) => "code" in error && error.code === "REQUEST_INVALID" && error.message.includes(place),
      place,
    );
  assert.throws(() => readPatch({ epoch: 1, from: 1, revision: 2, set: [], remove: [5] }), { code: "REQUEST_INVALID" });
});

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-table-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("the table is the same after it was written and loaded", async (t) => {
  const folder = await folderOf(t);
  const table = new Table();
  const writer = new TableWriter({ table, folder, clock: systemClock, log, signal: t.signal });
  for (let revision = 1; revision <= 300; revision++) {
    table.replace({ epoch: 1, revision, routes: Array.from({ length: revision }, (_, i) => route(`r${i}`, revision)) });
    writer.changed();
  }
  await writer.flushed();
  assert.deepEqual(await loadTable(folder, log), { ...table.version, routes: table.routes() });
});

test("a table on disk that cannot be read is said to be so, and left for the server to replace", async (t) => {
  const folder = await folderOf(t);
  assert.equal(await loadTable(folder, log), null);
  const table = new Table({ epoch: 1, revision: 1, routes: [route("a", 1)] });
  const writer = new TableWriter({ table, folder, clock: systemClock, log, signal: t.signal });
  writer.changed();
  await writer.flushed();
  const text = await readFile(tableFile(folder), "utf8");
  for (const damaged of ["", text.slice(0, -10), text.replace('"port":1', '"port":"1"')]) {
    await writeFile(tableFile(folder), damaged);
    const lines: string[] = [];
    assert.equal(await loadTable(folder, createLog({ print: (line) => lines.push(line), nowMs: () => 0 })), null);
    assert.match(lines.join(""), /cannot be read/);
  }
});
