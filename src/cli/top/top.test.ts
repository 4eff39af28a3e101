import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteView } from "#model/api-routes.ts";
import type { InstanceUsageView, MachineUsageView } from "#model/api-usage.ts";
import { printable } from "../output/output.ts";
import { appSummary } from "../testing/views.ts";
import { drawOverview, type FrameOptions } from "./frame.ts";
import { type AppRow, compareLooks, type Look, type Overview } from "./overview.ts";

const gib = 2 ** 30;

function machine(atMs: number, busy: number, idle: number): MachineUsageView {
  return {
    machine: "m1",
    atMs,
    cores: 2,
    cpuSeconds: { user: busy, system: 0, wait: 0, idle },
    load1: 0.5,
    memory: { totalBytes: 8 * gib, availableBytes: 6 * gib },
    disk: { totalBytes: 100 * gib, availableBytes: 40 * gib },
    network: { receivedBytes: 0, sentBytes: 0 },
    pressureSeconds: null,
    programs: { server: null, agent: null, edge: null },
  };
}

const instance = (cpuSeconds: number, id = "shop/api/web.3.k3f9b"): InstanceUsageView => ({
  id,
  space: "shop",
  app: "api",
  process: "web",
  release: 3,
  machine: "m1",
  cpuSeconds,
  memoryBytes: 50 * 2 ** 20,
  processes: 1,
});

const route = (requests: number, errors: number) =>
  ({ id: "shop/api/web", space: "shop", app: "api", kind: "http", traffic: { requests, errors } }) as unknown as RouteView;

function look(atMs: number, machines: MachineUsageView[], instances: InstanceUsageView[], routes: RouteView[]): Look {
  const status = { machines: [{ id: "m1", linked: true, instances: 1 }], problems: [] } as unknown as Look["status"];
  return { status, usage: { machines, instances, silent: [] }, apps: [appSummary()], routes, atMs, wallMs: atMs };
}

test("rates are what grew between two looks, by the time that passed", () => {
  const before = look(0, [machine(1_000, 10, 90)], [instance(5)], [route(100, 3)]);
  const now = look(2_000, [machine(3_000, 13, 91)], [instance(6)], [route(120, 5)]);
  const { machines, apps } = compareLooks(before, now);
  assert.deepEqual([machines[0]?.use?.cpu, machines[0]?.use?.memoryUsed], [0.75, 2 * gib]);
  assert.deepEqual([apps[0]?.cpu, apps[0]?.memory, apps[0]?.requests, apps[0]?.errors], [0.5, 50 * 2 ** 20, 10, 1]);
});

test("the first look knows no rates, and says so", () => {
  const { machines, apps } = compareLooks(null, look(0, [machine(0, 1, 1)], [instance(1)], [route(1, 0)]));
  assert.deepEqual([machines[0]?.use?.cpu, apps[0]?.cpu, apps[0]?.requests], [null, null, null]);
});

test("what began to count anew between the looks counts from zero", () => {
  const before = look(0, [machine(0, 0, 0)], [instance(50)], [route(1_000, 10)]);
  const now = look(1_000, [machine(1_000, 1, 1)], [instance(0.25)], [route(7, 2)]);
  const { apps } = compareLooks(before, now);
  assert.deepEqual([apps[0]?.cpu, apps[0]?.requests, apps[0]?.errors], [0.25, 7, 2]);
});

test("what was not there before, or does not say, makes no rate", () => {
  const before = look(0, [], [], []);
  const now = look(1_000, [], [instance(9, "shop/api/web.3.new00")], []);
  const { machines, apps } = compareLooks(before, now);
  assert.deepEqual([machines[0]?.use, apps[0]?.cpu, apps[0]?.requests], [null, 0, null]);
});

const app = (name: string, more: Partial<AppRow> = {}): AppRow => ({
  name,
  health: "ready",
  ready: 1,
  wanted: 1,
  cpu: 0,
  memory: 0,
  requests: null,
  errors: null,
  ...more,
});
const plain: FrameOptions = { order: "c", columns: null, rows: null, nowMs: 0, trouble: null };

function drawn(overview: Partial<Overview>, options: Partial<FrameOptions> = {}): readonly string[] {
  return drawOverview({ machines: [], apps: [], problems: [], ...overview }, { ...plain, ...options }).map((line) =>
    printable(line, false),
  );
}

const names = (lines: readonly string[]) => lines.flatMap((line) => /^shop\/\S+/.exec(line)?.[0] ?? []);

test("apps stand in the order that was asked for, and those that are down before all others", () => {
  const apps = [
    app("shop/idle"),
    app("shop/down", { health: "down" }),
    app("shop/busy", { cpu: 1.5 }),
    app("shop/large", { memory: 9 * gib }),
    app("shop/asked", { requests: 12, errors: 0.5 }),
  ];
  assert.deepEqual(names(drawn({ apps })), ["shop/down", "shop/busy", "shop/asked", "shop/idle", "shop/large"]);
  assert.deepEqual(names(drawn({ apps }, { order: "m" })).slice(0, 2), ["shop/down", "shop/large"]);
  assert.deepEqual(names(drawn({ apps }, { order: "r" })).slice(0, 2), ["shop/down", "shop/asked"]);
  assert.deepEqual(names(drawn({ apps }, { order: "n" })), ["shop/down", "shop/asked", "shop/busy", "shop/idle", "shop/large"]);
  assert.match(drawn({ apps })[0] ?? "", /^drover {2}1 thing to look at {2}5 apps, 0 machines/);
});

test("what has no room is counted in the last line", () => {
  const apps = Array.from({ length: 20 }, (_, i) => app(`shop/app-${String(i).padStart(2, "0")}`));
  const lines = drawn({ apps }, { rows: 12 });
  assert.equal(lines.length, 12);
  assert.equal(names(lines).length + Number(/^(\d+) more apps$/.exec(lines.at(-1) ?? "")?.[1]), 20);
});

test("problems are named, a few of many, and old figures say why they are old", () => {
  const problems = ["one", "two", "three", "four", "five"];
  const lines = drawn({ problems }, { trouble: "the server does not answer" });
  assert.deepEqual(lines.slice(1, 6), [
    "as it was then  the server does not answer",
    "problem  one",
    "problem  two",
    "problem  three",
    "         and 2 more: drover status",
  ]);
});

test("no text of others steers the terminal", () => {
  const lines = drawn({ problems: ["\x1b[2Jgone\r\nall"], apps: [app("shop/\x1b]0;x\x07")] });
  for (const line of lines) assert.doesNotMatch(line, /[\x00-\x1f]/);
});
