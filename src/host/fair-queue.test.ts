import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { DroverError } from "#model/errors.ts";
import { FairQueue, type FairQueueOptions } from "./fair-queue.ts";

const never = new AbortController().signal;

function queueOf(options: Omit<FairQueueOptions, "refuse">): FairQueue {
  return new FairQueue({ ...options, refuse: (whose, underWay) => new DroverError("OVERLOADED", `${whose} has ${underWay} under way`) });
}

/** Work by its name, of who begins with the same three letters; notes when each begins, and ends it when told. */
function workIn(queue: FairQueue) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    ask: (name: string, signal = never) =>
      queue.run(
        name.slice(0, 3),
        () => {
          begun.push(name);
          return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
        },
        signal,
      ),
    end: async (name: string) => {
      ends.get(name)?.();
      await setImmediate();
    },
  };
}

test("a few run at once, fewer of one, and what waits begins in its order when there is room", async () => {
  const { begun, ask, end } = workIn(queueOf({ slots: 4, mostOfOne: 2, mostWaiting: 50 }));
  const gone = new AbortController();
  const asked = ["ann 1", "ann 2", "ann 3", "bob 1", "bob 2", "cid 1"].map((name) => ask(name));
  const left = assert.rejects(ask("ann 4", gone.signal), /went away/);
  asked.push(ask("ann 5"));
  await setImmediate();
  assert.deepEqual(begun, ["ann 1", "ann 2", "bob 1", "bob 2"]);
  gone.abort(new Error("went away"));
  await left;
  await end("bob 1");
  assert.deepEqual(begun.slice(4), ["cid 1"], "ann has two of her own under way");
  await end("ann 2");
  await end("ann 1");
  assert.deepEqual(begun.slice(5), ["ann 3", "ann 5"]);
  for (const name of ["bob 2", "cid 1", "ann 3", "ann 5"]) await end(name);
  assert.deepEqual(await Promise.all(asked), ["ann 1", "ann 2", "ann 3", "bob 1", "bob 2", "cid 1", "ann 5"]);
});

test("of those that wait, the one that was served longest ago comes next, however many of another came before it", async () => {
  const { begun, ask, end } = workIn(queueOf({ slots: 1, mostWaiting: 50, goesFirst: (whose) => whose === "doc" }));
  const asked = ["ann 1", "ann 2", "ann 3", "bob 1", "cid 1", "doc 1"].map((name) => ask(name));
  await setImmediate();
  for (const name of ["ann 1", "doc 1", "bob 1", "cid 1", "ann 2", "ann 3"]) {
    assert.equal(begun.at(-1), name);
    await end(name);
  }
  await Promise.all(asked);
});

test("more than may wait is refused, and work that failed gives its slot up", async () => {
  const queue = queueOf({ slots: 4, mostOfOne: 2, mostWaiting: 50 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked = Array.from({ length: 52 }, () => queue.run("ann", () => promise, never));
  await assert.rejects(queue.acquire("ann", never), { code: "OVERLOADED", message: "ann has 2 under way" });
  await queue.run("bob", async () => {}, never);
  resolve();
  await Promise.all(asked);
  await assert.rejects(
    queue.run("ann", () => Promise.reject(new Error("broke")), never),
    /broke/,
  );
  await queue.run("ann", async () => {}, never);
  assert.ok(queue.isIdle);
});
