import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ToldAddition } from "#model/api-additions.ts";
import { DroverError } from "#model/errors.ts";
import { parseTarget } from "#model/ssh-target.ts";
import { nothingCopied } from "#ssh/copy-parts.ts";
import { openOnlookers } from "./onlookers.ts";

const [m2, m3] = [parseTarget("m2=ops@10.0.0.2"), parseTarget("10.0.0.3")];

/** A server that keeps what it is told, or refuses it; and a clock that goes on by hand. */
function withServer(refuses = false) {
  const told: ToldAddition[] = [];
  let ms = 0;
  let wake = () => {};
  const clock = {
    nowMs: () => ms,
    monotonicMs: () => ms,
    sleep: (_ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        wake = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
  };
  const call = async (_method: string, _path: string, _signal: AbortSignal, options?: { readonly body?: unknown }) => {
    if (refuses) throw new DroverError("ROUTE_UNKNOWN", "there is no such path");
    told.push(structuredClone(options?.body) as ToldAddition);
    return null as never;
  };
  const pass = async (more: number) => {
    await turn();
    ms += more;
    wake();
    await turn();
  };
  return { told, pass, onlookers: openOnlookers({ api: { call }, clock, id: "a" }, [m2, m3]) };
}

test("who looks on sees where each host is, what is in the way of one, and that it is over", async () => {
  const { told, pass, onlookers } = withServer();
  onlookers.stage(m2, "copying", "3 of 60 MiB");
  onlookers.note(m2, "waits for you to touch your key");
  await pass(500);
  const faults = [{ check: "clock", what: "is an hour behind", remedy: "Set its clock." }];
  onlookers.ended({ target: m2, machine: "m2", already: false, copied: nothingCopied, failure: null, tookMs: 5 });
  const failure = { code: "HOST_UNFIT", message: "is an hour behind", hint: "Set its clock.", details: { faults } } as const;
  onlookers.ended({ target: m3, machine: null, already: false, copied: nothingCopied, failure, tookMs: 5 });
  await onlookers[Symbol.asyncDispose]();
  assert.deepEqual(
    told.map(({ hosts, isOver }) => [isOver, ...hosts.map(({ host, state, stage }) => `${host} ${state} ${stage}`)]),
    [
      [false, "ops@10.0.0.2 waiting null", "10.0.0.3 waiting null"],
      [false, "ops@10.0.0.2 under-way copying, 3 of 60 MiB", "10.0.0.3 waiting null"],
      [true, "ops@10.0.0.2 joined null", "10.0.0.3 failed null"],
    ],
  );
  assert.deepEqual(told.at(-1)?.hosts[1]?.failure, { code: "HOST_UNFIT", message: "is an hour behind", hint: "Set its clock.", faults });
});

test("while nothing changes it is said every five seconds that it goes on", async () => {
  const { told, pass, onlookers } = withServer();
  for (let i = 0; i < 11; i++) await pass(500);
  assert.equal(told.length, 2);
  await onlookers[Symbol.asyncDispose]();
});

test("a server that does not take it stops nothing", async () => {
  const { pass, onlookers } = withServer(true);
  await pass(500);
  await onlookers[Symbol.asyncDispose]();
});
