import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { QueryTurns } from "./query-turns.ts";

test("a few questions run at once, fewer of one caller, and what waits begins in its order when there is room", async () => {
  const turns = new QueryTurns();
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const never = new AbortController().signal;
  const ask = (caller: string, name: string, signal = never) => {
    const task = () => {
      begun.push(name);
      return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
    };
    return turns.run(caller, task, signal);
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    await setImmediate();
  };
  const gone = new AbortController();
  const asked = ["ann 1", "ann 2", "ann 3", "bob 1", "bob 2", "cid 1"].map((name) => ask(name.slice(0, 3), name));
  const left = assert.rejects(ask("ann", "ann 4", gone.signal), /went away/);
  asked.push(ask("ann", "ann 5"));
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

test("more than a page of graphs asks is refused, and a question that failed gives its turn up", async () => {
  const turns = new QueryTurns();
  const { signal } = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked = Array.from({ length: 52 }, () => turns.run("ann", () => promise, signal));
  await assert.rejects(
    turns.run("ann", async () => {}, signal),
    { code: "OVERLOADED" },
  );
  await turns.run("bob", async () => {}, signal);
  resolve();
  await Promise.all(asked);
  await assert.rejects(
    turns.run("ann", () => Promise.reject(new Error("broke")), signal),
    /broke/,
  );
  await turns.run("ann", async () => {}, signal);
});
