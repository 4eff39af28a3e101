import assert from "node:assert/strict";
import { test } from "node:test";
import { DroverError } from "#model/errors.ts";
import type { ProgramsState } from "#model/programs.ts";
import type { FleetLook } from "./fleet-look.ts";
import { judgeMachine } from "./judge-machine.ts";
import { type Fleet, type MoveOptions, moveMachine } from "./move-machine.ts";
import type { Step } from "./upgrade-plan.ts";

const state: ProgramsState = {
  id: "old",
  release: "1.0.0",
  architecture: "x86_64",
  before: null,
  isOnTrial: false,
  refused: null,
  parts: [],
};
const instance = {
  id: "shop/web/web.1.k3f9b",
  space: "shop",
  app: "web",
  process: "web",
  machine: "m2",
  state: "running",
  ready: true,
  pid: 7,
};
const well = {
  machines: [{ id: "m2", linked: true }],
  edges: [{ machine: "m2", linked: true, revision: 3 }],
  problems: [{ code: "PORT_IN_USE", message: "port 80 is taken" }],
  instances: [instance],
} as unknown as FleetLook;

const never = new AbortController().signal;
const step: Step = { machine: "m2", hasServer: false, kind: "go-over", from: state };

/** A machine that does as it is told, but for what `broken` says; time passes by itself. */
function world(broken: Partial<Fleet> = {}, looks: (id: string | null) => FleetLook = () => well) {
  const said: string[] = [];
  let running: ProgramsState = state;
  let nowMs = 0;
  const fleet: Fleet = {
    look: async () => looks(running.id),
    programs: async () => running,
    start: async function* (_machine, { id }) {
      said.push("start");
      running = { ...running, id, isOnTrial: true };
      yield { kind: "started" };
    },
    keep: async () => void said.push(`keep ${running.id}`),
    back: async () => {
      said.push("back");
      running = { ...state, isOnTrial: true };
    },
    ...broken,
  };
  const options: MoveOptions = {
    fleet,
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async (ms) => void (nowMs += ms) },
    order: { id: "new", parts: [] },
    healthyMs: 60_000,
    stage: () => {},
  };
  return { said, options, set: (next: Partial<ProgramsState>) => void (running = { ...running, ...next }), now: () => nowMs };
}

test("a machine that is as before for a while stays with it", async () => {
  const { said, options } = world();
  await moveMachine(step, options, never);
  assert.deepEqual(said, ["start", "keep new"]);
});

test("a machine on which something is worse when its time is over goes back, and the words say what", async () => {
  const { said, options } = world({}, (id) =>
    id === "new" ? { ...well, instances: [{ ...well.instances[0], ready: false }] as never } : well,
  );
  await assert.rejects(moveMachine(step, options, never), (error) => {
    assert.ok(error instanceof DroverError && error.code === "UPGRADE_FAILED");
    assert.match(error.message, /m2 did not stay with it, and is back at 1\.0\.0 \(old\): after 1 min 0 s, shop\/.* is not ready/);
    return true;
  });
  assert.deepEqual(said, ["start", "back", "keep old"]);
});

test("a machine that has gone back by itself is not waited for", async () => {
  const { said, options, set, now } = world({
    start: async function* () {
      set({ refused: { id: "new", why: "its agent did not stay" } });
      yield { kind: "started" };
    },
  });
  await assert.rejects(moveMachine(step, options, never), /it went back by itself: its agent did not stay/);
  assert.deepEqual(said, ["keep old"]);
  assert.ok(now() < 60_000);
});

test("a server that goes away with its own machine, before it has said that it does, is waited for", async () => {
  let away = 8;
  const gone = () => new DroverError("SERVER_UNREACHABLE", "cannot talk to the server");
  const { said, options, set } = world({
    // biome-ignore lint/correctness/useYield: it ends before it has said anything
    start: async function* () {
      set({ id: "new", isOnTrial: true });
      throw gone();
    },
  });
  const { programs } = options.fleet;
  const fleet: Fleet = { ...options.fleet, programs: async (...args) => (away-- > 0 ? Promise.reject(gone()) : programs(...args)) };
  await moveMachine(step, { ...options, fleet }, never);
  assert.deepEqual(said, ["keep new"]);
});

test("a machine that went back with its server, before that was told, is not asked again: it would go forth", async () => {
  const { said, options, set } = world({
    back: async () => {
      said.push("back");
      set({ id: "old", isOnTrial: true });
      throw new DroverError("SERVER_UNREACHABLE", "cannot talk to the server");
    },
  });
  const from = { ...state, id: "new", before: { id: "old" } };
  set(from);
  await moveMachine({ ...step, from }, { ...options, order: null }, never);
  assert.deepEqual(said, ["back", "keep old"]);
});

test("what a command that has ended left on trial is judged as it is, and not begun anew", async () => {
  const { said, options, set } = world();
  set({ id: "new", isOnTrial: true });
  await moveMachine({ ...step, kind: "judge" }, options, never);
  assert.deepEqual(said, ["keep new"]);
});

test("a disk that is full is told, and nothing is taken back, since nothing was begun", async () => {
  const { said, options } = world({
    start: async function* () {
      yield { kind: "failed", error: { code: "STORAGE_FULL", message: "the disk is full", hint: "Free space.", details: null } };
    },
  });
  await assert.rejects(moveMachine(step, options, never), { code: "STORAGE_FULL", hint: "Free space." });
  assert.deepEqual(said, []);
});

test("what is worse than before is a fault; what was wrong before, and what was deployed meanwhile, is none", () => {
  const judge = (now: Partial<FleetLook>, before: FleetLook | null = well) => judgeMachine("m2", before, { ...well, ...now });
  const [one] = well.instances;
  assert.ok(one !== undefined);
  assert.deepEqual(judge({}), []);
  assert.deepEqual(judge({ machines: [] }), ["its agent does not answer"]);
  assert.deepEqual(judge({ edges: [{ machine: "m2", linked: true, revision: null, public: true }] }), ["its edge has no routes yet"]);
  assert.match(judge({ instances: [{ ...one, pid: 8 }] }).join(), /was started anew, and not taken over/);
  assert.deepEqual(judge({ instances: [] }), ["nothing runs of shop/web web"]);
  assert.deepEqual(judge({ instances: [{ ...one, id: "shop/web/web.2.new01" }] }), [], "deployed meanwhile");
  assert.deepEqual(judge({ instances: [{ ...one, machine: "m3", ready: false }] }), [], "another machine's");
  assert.deepEqual(judge({ problems: [...well.problems, { code: "CHECK_FAILING", message: "the check ping fails" }] }), [
    "the check ping fails",
  ]);
  assert.deepEqual(judge({ problems: [{ code: "PORT_IN_USE", message: "port 80 is taken for 3 min" }] }), []);
  const ill = { ...well, instances: [{ ...one, ready: false }] };
  assert.deepEqual(judge({ instances: ill.instances }, ill), [], "it was not ready before");
  assert.deepEqual(judge({ problems: [{ code: "X", message: "elsewhere" }] }, null), []);
});
