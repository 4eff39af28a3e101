import assert from "node:assert/strict";
import { test } from "node:test";
import type { Part } from "#host/distribution.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Neighbour, NeighbourQuestion } from "#model/programs.ts";
import { type CopyOptions, copyParts } from "./copy-parts.ts";
import { SiteTurns } from "./site-turns.ts";

const never = new AbortController().signal;
const part = (digest: string, sizeBytes: number): Part => ({ file: digest, digest, sizeBytes, unpackedBytes: 2 * sizeBytes });
const [small, node, packages] = [part("small", 900_000), part("node", 40_000_000), part("packages", 9_000_000)];
const all = [small, packages, node];
const h2: Neighbour = { machine: "h2", host: "10.0.0.2", port: 5, token: "t", parts: ["node", "packages"] };

/** A host at 10.0.0.9, its neighbours as `answers` has them one after another, and what came of it all. */
function play(
  answers: readonly (Neighbour | null | Error)[],
  { turns = new SiteTurns(new VirtualClock()), fetch = async () => {} }: Partial<Playing> = {},
) {
  const done: string[] = [];
  const asked: NeighbourQuestion[] = [];
  const logged: string[] = [];
  const left = [...answers];
  const options: CopyOptions = {
    host: {
      address: "10.0.0.9",
      fetch: async (one, from) => {
        await fetch(one);
        done.push(`${one.digest} from ${from.machine}`);
      },
      receive: async ({ digest }) => void done.push(digest),
    },
    name: "m9",
    labels: {},
    partly: new Map(),
    turns,
    neighbour: async (question) => {
      asked.push({ ...question, except: [...question.except] });
      const answer = left.shift() ?? null;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    stage: () => {},
    log: (line) => void logged.push(line),
  };
  return { done, asked, logged, options };
}

interface Playing {
  readonly turns: SiteTurns;
  readonly fetch: (one: Part) => Promise<void>;
}

test("large parts come from a machine beside it, the small one from here", async () => {
  const { done, asked, options } = play([h2]);
  const { sentBytes, nearBytes, turn } = await copyParts(all, options, never);
  assert.deepEqual(done, ["packages from h2", "node from h2", "small"]);
  assert.deepEqual([sentBytes, nearBytes, turn], [900_000, 49_000_000, null]);
  assert.deepEqual(asked, [{ address: "10.0.0.9", labels: {}, parts: ["packages", "node"], except: ["m9"] }]);
});

test("what a neighbour does not give comes from here, and the log says why", async () => {
  const refuse = async ({ digest }: Part) => {
    if (digest === "node") throw new DroverError("SSH_FAILED", "it gave 7 of 40000000 bytes");
  };
  const { done, logged, options } = play([h2], { fetch: refuse });
  const { sentBytes, turn } = await copyParts(all, options, never);
  assert.deepEqual(done, ["packages from h2", "small", "node"]);
  assert.equal(sentBytes, 40_900_000);
  assert.ok(turn !== null, "others wait for it");
  assert.match(logged.join("\n"), /of no use: it gave 7 of 40000000 bytes/);
  const old = play([new DroverError("ROUTE_UNKNOWN", "the API has no such path")]);
  await copyParts(all, old.options, never);
  assert.deepEqual(old.done, ["small", "packages", "node"]);
});

test("what is nearly there is not asked of anybody, nor is anything where nobody knows where the host stands", async () => {
  const partly = new Map([
    ["node", 39_500_000],
    ["packages", 8_500_000],
  ]);
  const most = play([h2]);
  assert.equal((await copyParts(all, { ...most.options, partly }, never)).sentBytes, 900_000 + 500_000 + 500_000);
  const nowhere = play([h2]);
  await copyParts(all, { ...nowhere.options, host: { ...nowhere.options.host, address: null } }, never);
  assert.deepEqual([most.asked, nowhere.asked], [[], []]);
});

test("of hosts at one place the second waits for the first, once, and then asks for a neighbour again", async () => {
  const turns = new SiteTurns(new VirtualClock());
  const first = play([null], { turns });
  const { turn } = await copyParts(all, first.options, never);
  const second = play([null, h2], { turns });
  const copied = copyParts(all, second.options, never);
  const elsewhere = play([null], { turns });
  await copyParts(all, { ...elsewhere.options, labels: { zone: "b" } }, never);
  assert.deepEqual(second.done, [], "it waits");
  turn?.[Symbol.dispose]();
  await copied;
  assert.deepEqual(second.done, ["packages from h2", "node from h2", "small"]);
});

test("nobody waits for a host that stands still", async () => {
  const clock = new VirtualClock();
  const turns = new SiteTurns(clock);
  const held = await turns.take("here", never);
  const waiting = turns.take("here", never);
  for (let second = 0; second < 14; second++) await clock.advance(1_000);
  held.moved();
  let isOver = false;
  const over = waiting.then(() => (isOver = true));
  for (let second = 0; second < 14; second++) await clock.advance(1_000);
  assert.equal(isOver, false);
  await clock.advance(2_000);
  await over;
});
