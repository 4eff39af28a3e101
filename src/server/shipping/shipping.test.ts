import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "#host/clock.ts";
import { createOutgoing } from "#host/outgoing.ts";
import type { LogEvent } from "#model/log-event.ts";
import type { LogPlaces, UnsentRead } from "#model/log-shipping.ts";
import type { InstanceId, MachineId } from "#model/names.ts";
import { TestLogReceiver } from "../../../test/harness/log-receiver.ts";
import { type ApiFixture, startApi } from "../api/testing/api-fixture.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { apply } from "../operations/apply.ts";
import { silentLog } from "../store/testing/temporary-store.ts";
import { SecretMask } from "../view/mask-secrets.ts";
import { Shipping } from "./shipping.ts";

let api: ApiFixture;
let folder: string;
let well: TestLogReceiver;
let broken: TestLogReceiver;
before(async () => {
  [api, well, broken] = await Promise.all([startApi(), TestLogReceiver.start(), TestLogReceiver.start()]);
  folder = await mkdtemp(join(tmpdir(), "drover-shipping-"));
});
beforeEach(() => {
  well.taken.length = 0;
  broken.answer = () => ({ status: 503 });
});
after(async () => {
  await Promise.all([api, well, broken].map((one) => one[Symbol.asyncDispose]()));
  await rm(folder, { recursive: true, force: true });
});

const declare = (text: string) =>
  apply(api.services, {
    documents: [{ file: "space.yaml", text }],
    variables: {},
    artifacts: {},
    prune: false,
    force: false,
    cause: "apply",
  });
const to = (receiver: TestLogReceiver) => `{ http: 'http://127.0.0.1:${receiver.port}' }`;

/** A machine whose only app has printed some lines; the place is how many of them were read. */
function machine(name: string, lines: number): AgentPeer & { readonly gone: AbortSignal; leave(): void } {
  const link = new AbortController();
  const instance = `shop/web/web.1.${name}` as InstanceId;
  const readOf = (places: LogPlaces) => places["shop/web"]?.lines ?? 0;
  const event = (sequence: number): LogEvent => {
    const text = `${name} ${sequence}`;
    return {
      machine: name as MachineId,
      instance,
      atMs: 1,
      sequence,
      lines: 1,
      text,
      source: "app",
      level: null,
      statedAtMs: null,
      fields: {},
    };
  };
  const peer: Partial<AgentPeer> = {
    machine: name as MachineId,
    isRemote: true,
    gone: link.signal,
    unsentLogs: async ({ places, waitMs }, signal) => {
      const left = lines - readOf(places);
      // What has nothing to say answers when it is asked to, or when whoever asks goes.
      if (left === 0) await delay(waitMs, undefined, { signal });
      return { lines: left, bytes: left, sinceMs: left === 0 ? null : 0 };
    },
    readUnsentLogs: async ({ places }: UnsentRead) => {
      const from = readOf(places);
      const until = Math.min(lines, from + 10);
      const events = Array.from({ length: until - from }, (_, at) => event(from + at + 1));
      const place = { segment: 1, bytes: until, lines: until, atMs: 1, last: { bytes: 1, crc: 1 } };
      return { events, places: { "shop/web": place }, last: "shop/web", lostLines: 0 };
    },
  };
  return Object.assign(peer as AgentPeer, { gone: link.signal, leave: () => link.abort() });
}

function start(stop: AbortController, agents: readonly AgentPeer[]): Shipping {
  const { store, secrets, events } = api.services;
  const fleet = { agents: () => agents, apps: () => [], workloads: () => [] };
  const mask = new SecretMask(secrets);
  const resolve = createOutgoing(["127.0.0.1"]);
  return new Shipping(
    { folder, store, secrets, fleet, events, mask, resolve, clock: systemClock, random: () => 0, log: silentLog },
    stop.signal,
  );
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(10);
}
const came = (receiver: TestLogReceiver) => receiver.events.map(({ text }) => String(text));

test("a receiver that takes nothing holds up no other, and each machine's lines come in their order", { timeout: 60_000 }, async () => {
  await declare(`space: shop\nlogs: { ship: { well: ${to(well)}, broken: ${to(broken)} } }`);
  const stop = new AbortController();
  const one = machine("m1", 45);
  const shipping = start(stop, [one]);
  shipping.follow(machine("m2", 25));
  await until(() => came(well).length === 70);
  for (const [name, lines] of [
    ["m1", 45],
    ["m2", 25],
  ] as const)
    assert.deepEqual(
      came(well).filter((text) => text.startsWith(name)),
      Array.from({ length: lines }, (_, at) => `${name} ${at + 1}`),
    );
  await until(() => shipping.shippers.some(({ trouble }) => trouble.failing !== null));
  const states = shipping.shippers.map(({ destination, trouble }) => [destination.name, trouble.failing?.why ?? null]);
  assert.deepEqual(states, [
    ["broken", "answered 503"],
    ["well", null],
  ]);
  // Its link is lost, and it comes again with more.
  one.leave();
  shipping.follow(machine("m1", 47));
  await until(() => came(well).length === 72);
  assert.deepEqual(came(well).slice(-2), ["m1 46", "m1 47"]);
  stop.abort(new Error("the test is over"));
  await shipping.stopped();
});

test("where one stopped another goes on, a receiver that is another one begins anew, and of one that is gone nothing is left", {
  timeout: 60_000,
}, async () => {
  const stop = new AbortController();
  const shipping = start(stop, [machine("m1", 48), machine("m2", 25)]);
  await until(() => came(well).length === 1);
  assert.deepEqual(came(well), ["m1 48"], "as much as was not sent before");
  assert.deepEqual((await readdir(join(folder, "shop"))).sort(), ["well"], "what was never taken has no place to note");
  broken.answer = () => ({ status: 200 });
  await declare(`space: shop\nlogs: { ship: { well: ${to(broken)} } }`);
  shipping.look();
  await until(() => came(broken).length === 73);
  await declare("space: shop");
  shipping.look();
  await until(() => shipping.shippers.length === 0);
  stop.abort(new Error("the test is over"));
  await shipping.stopped();
  assert.deepEqual(await readdir(join(folder, "shop")), []);
});
