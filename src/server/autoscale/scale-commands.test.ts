import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { DroverError } from "#model/errors.ts";
import type { LookAnswer, LookOrder } from "#model/look.ts";
import type { AppName, ProcessName, SpaceName } from "#model/names.ts";
import type { ScaleCommand } from "#model/scale.ts";
import type { NewEvent } from "../events/event-log.ts";
import { silentLog } from "../store/testing/temporary-store.ts";
import { ScaleCommands } from "./scale-commands.ts";

const command: ScaleCommand = { run: "how-many", env: { QUEUE: "jobs" }, everyMs: 30_000, timeoutMs: 5_000 };
const place = { space: "default" as SpaceName, app: "shop" as AppName, process: "web" as ProcessName };

/** An agent whose answers come when the test gives them. */
function setUp() {
  const clock = new VirtualClock();
  const orders: { readonly order: LookOrder; readonly signal: AbortSignal; readonly end: PromiseWithResolvers<LookAnswer> }[] = [];
  const events: NewEvent[] = [];
  const link = () => {
    const gone = new AbortController();
    const look = (order: LookOrder, signal: AbortSignal) => {
      const end = Promise.withResolvers<LookAnswer>();
      signal.addEventListener("abort", () => end.reject(signal.reason), { once: true });
      orders.push({ order, signal, end });
      return end.promise;
    };
    return { peer: { look, gone: gone.signal }, leave: () => gone.abort(new Error("gone")) };
  };
  const first = link();
  const fleet: { agent: typeof first.peer | null } = { agent: first.peer };
  const stop = new AbortController();
  const commands = new ScaleCommands(
    {
      fleet,
      events: { append: (event) => ({ ...event, sequence: events.push(event) }) as never },
      mask: { text: (_, text) => text },
      clock,
      log: silentLog,
    },
    stop.signal,
  );
  /** What the look after so long makes of it. */
  const ask = async (ms = 0, asked = command) => {
    await clock.advance(ms);
    return commands.ask("default/shop/web", place, asked, 4);
  };
  const answer = async (answer: string, exitCode = 0) => {
    orders.at(-1)?.end.resolve({ exitCode, answer, isAnswerCut: false, output: answer });
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { orders, events, fleet, commands, ask, answer, link, first, stop };
}

test("a command is run at its pace, as its app, and its last answer counts until the next", async () => {
  const { orders, ask, answer, events } = setUp();
  assert.deepEqual(await ask(), { amount: 0, missing: "its command has not answered yet" });
  const [{ order } = { order: null }] = orders;
  assert.deepEqual([order?.app, order?.run, order?.timeoutMs], ["default/shop", "how-many", 5_000]);
  const own = { DROVER_SPACE: "default", DROVER_APP: "shop", DROVER_PROCESS: "web", DROVER_INSTANCES: "4" };
  assert.deepEqual(order?.env, { QUEUE: "jobs", ...own });
  await answer("7");
  for (const ms of [5_000, 20_000]) assert.deepEqual(await ask(ms), { amount: 7, missing: null });
  assert.equal(orders.length, 1);
  assert.deepEqual(await ask(4_990), { amount: 7, missing: null }, "a look that is a moment early is the one that is meant");
  assert.equal(orders.length, 2);
  await ask(60_000);
  assert.equal(orders.length, 2, "it runs once at a time");
  await answer("8");
  assert.equal((await ask()).amount, 8);
  assert.deepEqual(events, []);
});

test("that it fails is told once, and again only after it was well", async () => {
  const { ask, answer, events } = setUp();
  for (const [text, exitCode] of [["3"], ["broken", 1], ["broken", 2], ["4"], ["broken", 1]] as const) {
    await ask(30_000);
    await answer(text, exitCode);
  }
  assert.match((await ask()).missing ?? "", /exited with 1: broken/);
  assert.deepEqual(
    events.map(({ kind, app, message }) => `${kind} ${app} ${message.split("none goes: ")[1]}`),
    ["app.scale-unknown shop its command exited with 1: broken", "app.scale-unknown shop its command exited with 1: broken"],
  );
});

test("an agent that is away is no answer, and none of before counts; the next one is asked at once", async () => {
  const { ask, answer, orders, events, fleet, first, link } = setUp();
  await ask();
  await answer("7");
  await ask(30_000);
  fleet.agent = null;
  first.leave();
  assert.match((await ask(5_000)).missing ?? "", /cannot be run: no agent is linked/);
  fleet.agent = link().peer;
  assert.match((await ask(5_000)).missing ?? "", /has not answered yet/);
  assert.equal(orders.length, 3);
  await answer("8");
  assert.equal((await ask()).amount, 8);
  assert.deepEqual(events, [], "that the machine is away is told elsewhere");
});

test("an agent that does not take it is why there is no answer", async () => {
  const { ask, orders, events } = setUp();
  await ask();
  orders[0]?.end.reject(new DroverError("OVERLOADED", "32 commands that look are under way already"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.match((await ask()).missing ?? "", /could not be run: 32 commands/);
  assert.equal(events.length, 1);
});

test("an answer that is too old is none", async () => {
  const { ask, answer } = setUp();
  await ask();
  await answer("7");
  await ask(30_000);
  assert.equal((await ask(60_000)).amount, 7);
  assert.match((await ask(10_000)).missing ?? "", /was not run for too long/);
});

test("another command begins anew, and ends the one that runs", async () => {
  const { ask, answer, orders } = setUp();
  await ask();
  await answer("7");
  await ask(30_000);
  assert.match((await ask(0, { ...command, run: "other" })).missing ?? "", /has not answered yet/);
  assert.equal(orders[1]?.signal.aborted, true);
  assert.equal(orders[2]?.order.run, "other");
});

test("a few run at a time, in their order; what is forgotten does not run, and all end with the server", async () => {
  const { orders, commands, stop } = setUp();
  const names = Array.from({ length: 20 }, (_, i) => `app-${i}`);
  for (const name of names) commands.ask(name, { ...place, app: name as AppName }, command, 1);
  assert.equal(orders.length, 8);
  commands.forgetOthers(new Set(names.filter((name) => name !== "app-8")));
  orders[3]?.end.resolve({ exitCode: 0, answer: "1", isAnswerCut: false, output: "" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    orders.slice(8).map(({ order }) => order.app),
    ["default/app-9"],
  );
  stop.abort(new Error("over"));
  await commands.stopped();
  assert.equal(orders.length, 9);
});
