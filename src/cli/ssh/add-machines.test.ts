import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DroverError } from "#model/errors.ts";
import { parseTarget } from "#model/ssh-target.ts";
import { nothingCopied } from "#ssh/copy-parts.ts";
import { addMachines, type HostOutcome } from "./add-machines.ts";

const fifty = Array.from({ length: 50 }, (_, i) => parseTarget(`h${i}`));
const never = new AbortController().signal;

test("of fifty hosts the dead one and the one with another key are named, and the others are done, ten at once", async () => {
  let underWay = 0;
  let most = 0;
  const ended: HostOutcome[] = [];
  const outcomes = await addMachines(
    fifty,
    {
      parallel: 10,
      monotonicMs: () => 0,
      onEnd: async (outcome) => void ended.push(outcome),
      add: async ({ host }) => {
        most = Math.max(most, ++underWay);
        await turn();
        underWay--;
        if (host === "h7") throw new DroverError("SSH_FAILED", "it does not answer");
        if (host === "h9") throw new DroverError("HOST_KEY_CHANGED", "it shows another key", { cause: new Error("somebody") });
        return { machine: host, already: false, copied: nothingCopied };
      },
    },
    never,
  );
  assert.deepEqual([outcomes.length, ended.length, most], [50, 50, 10]);
  assert.deepEqual(
    outcomes.filter(({ failure }) => failure !== null).map(({ target, failure }) => [target.host, failure?.code, failure?.message]),
    [
      ["h7", "SSH_FAILED", "it does not answer"],
      ["h9", "HOST_KEY_CHANGED", "it shows another key: somebody"],
    ],
  );
});

test("an interruption starts no further host, and a defect is not taken for a host's failure", async () => {
  const stop = new AbortController();
  const started: string[] = [];
  const interrupted = addMachines(
    fifty,
    {
      parallel: 2,
      monotonicMs: () => 0,
      onEnd: async () => {},
      add: async ({ host }, signal) => {
        started.push(host);
        stop.abort(new Error("interrupted"));
        signal.throwIfAborted();
        return { machine: host, already: false, copied: nothingCopied };
      },
    },
    stop.signal,
  );
  await assert.rejects(interrupted, /interrupted/);
  assert.ok(started.length <= 2);
  const defect = addMachines(
    fifty,
    { parallel: 2, monotonicMs: () => 0, onEnd: async () => {}, add: () => Promise.reject(new TypeError("a defect")) },
    never,
  );
  await assert.rejects(defect, TypeError);
});
