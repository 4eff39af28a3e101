import assert from "node:assert/strict";
import { test } from "node:test";
import type { AppId, InstanceId, MachineId, WorkloadId } from "#model/names.ts";
import type { EngineChange, Instance, Machine, Workload, WorkloadStatus } from "#model/workload.ts";
import { Fleet } from "./fleet.ts";
import type { AgentPeer } from "./peers.ts";

const app = "s/shop" as AppId;
const id = "s/shop/web/1" as WorkloadId;
const machine = { id: "m1" as MachineId, hostName: "m1", cores: 4, memoryBytes: 2 ** 32 } as Machine;
const peer = () => ({ machine: machine.id, isRemote: false, gone: new AbortController().signal, close: () => {} }) as unknown as AgentPeer;
const status = (count: number, revision = 1): WorkloadStatus => ({ id, revision, kind: "service", count, reason: null });
const instance = (name: string, state: Instance["state"] = "running", ready = true) =>
  ({ id: `s/shop/web.1.${name}` as InstanceId, workload: id, machine: machine.id, state, ready, restarts: 0 }) as Instance;
const order = (count: number, revision = 1) => ({ id, revision, count, kind: "service" }) as Workload;

function setUp() {
  const woken: string[] = [];
  const seen: string[] = [];
  const fleet = new Fleet({
    resourcesOf: () => ({ cpu: 0.5, memoryBytes: 2 ** 30 }),
    onApp: (woke) => woken.push(woke),
    onInstance: (before, after) => seen.push(`${before?.state ?? "none"} → ${after?.state ?? "none"}`),
    onMachine: () => {},
  });
  const agent = peer();
  const fold = (change: EngineChange, from = agent) => fleet.fold(from, change);
  fleet.linked(agent, machine);
  return { fleet, agent, fold, woken, seen };
}

const snapshot = (workloads: readonly WorkloadStatus[], instances: readonly Instance[]): EngineChange => ({
  kind: "snapshot",
  workloads,
  instances,
});

test("an agent takes orders only after it has reported everything", () => {
  const { fleet, agent, fold } = setUp();
  assert.equal(fleet.agent, null);
  assert.throws(() => fleet.requireAgent(), { code: "CLUSTER_UNREACHABLE" });
  fold(snapshot([], []));
  assert.equal(fleet.agent, agent);
});

test("when an agent is gone, what it reported stays as it was", () => {
  const { fleet, agent, fold } = setUp();
  fold(snapshot([status(1)], [instance("aaaaa")]));
  fleet.unlinked(agent);
  assert.equal(fleet.agent, null);
  assert.equal(fleet.workloads(app)[0]?.instances.size, 1);
});

test("what a new snapshot does not show is gone, and only the apps concerned are woken", () => {
  const { fleet, agent, fold, woken, seen } = setUp();
  fold(snapshot([status(2)], [instance("aaaaa"), instance("bbbbb")]));
  fleet.unlinked(agent);
  const again = peer();
  fleet.linked(again, machine);
  woken.length = 0;
  seen.length = 0;
  fold(snapshot([status(2)], [instance("aaaaa")]), again);
  assert.deepEqual([...new Set(woken)], [app]);
  assert.deepEqual(seen, ["running → none"]);
  assert.equal(fleet.workloads(app)[0]?.instances.size, 1);
});

test("reports of a link that was replaced are not heard", () => {
  const { fleet, agent, fold } = setUp();
  fleet.linked(peer(), machine);
  fold(snapshot([status(2)], []), agent);
  assert.deepEqual(fleet.workloads(app), []);
});

test("Drover's own programs are no app's", () => {
  const { fleet, fold } = setUp();
  fold(snapshot([{ ...status(1), id: "drover/server/main/0" as WorkloadId }], []));
  assert.deepEqual(fleet.apps(), []);
});

test("an order counts as known at once, and a report from before it does not undo it", () => {
  const { fleet, agent, fold } = setUp();
  fold(snapshot([status(1)], []));
  fleet.ordered(agent, order(3, 2), "digest");
  fold({ kind: "workload", workload: status(1) });
  assert.equal(fleet.workloads(app)[0]?.count, 3);
});

test("a workload may have as many as it was told until the agent confirms fewer", () => {
  const { fleet, agent, fold } = setUp();
  fold(snapshot([], []));
  fleet.ordered(agent, order(3), "digest");
  fleet.ordered(agent, order(1), "digest");
  assert.equal(fleet.workloads(app)[0]?.mayHave, 3);
  fold({ kind: "workload", workload: status(1) });
  assert.equal(fleet.workloads(app)[0]?.mayHave, 1);
});

test("a removed workload is known until its last instance is gone", () => {
  const { fleet, agent, fold } = setUp();
  fold(snapshot([status(1)], [instance("aaaaa")]));
  fleet.removed(agent, id, 2);
  fold({ kind: "workload-gone", id });
  assert.equal(fleet.workloads(app)[0]?.isRemoving, true);
  fold({ kind: "instance-gone", id: instance("aaaaa").id });
  assert.deepEqual(fleet.apps(), []);
});

test("reservations follow what is ordered and what exists", () => {
  const { fleet, agent, fold } = setUp();
  fold(snapshot([], []));
  fleet.ordered(agent, order(3), "digest");
  assert.deepEqual([fleet.rooms()[0]?.freeCores, fleet.rooms()[0]?.freeMemoryBytes], [2.5, 2 ** 32 - 3 * 2 ** 30]);
  fold({ kind: "workload", workload: status(3) });
  fleet.removed(agent, id, 2);
  fold({ kind: "workload-gone", id });
  assert.equal(fleet.rooms()[0]?.freeCores, 4);
});

const second = { ...machine, id: "m2" as MachineId, hostName: "m2", address: "10.0.0.2" } as Machine;
function setUpTwo() {
  const one = setUp();
  const other = { machine: second.id, isRemote: true, gone: new AbortController().signal, close: () => {} } as unknown as AgentPeer;
  one.fleet.linked(other, second);
  one.fold(snapshot([status(1)], [instance("aaaaa")]));
  one.fold(snapshot([status(2)], [{ ...instance("bbbbb"), machine: second.id }]), other);
  return { ...one, other };
}

test("one workload on two machines is known by machine", () => {
  const { fleet, other } = setUpTwo();
  assert.deepEqual(
    fleet.workloads(app).map((workload) => [workload.machine, workload.count]),
    [
      ["m1", 1],
      ["m2", 2],
    ],
  );
  assert.equal(fleet.agentOf(instance("bbbbb").id), other);
  fleet.removed(other, id, 5);
  assert.deepEqual(
    fleet.workloads(app).map(({ isRemoving }) => isRemoving),
    [false, true],
  );
});

test("instances of another machine are reached at its address", () => {
  const { fleet } = setUpTwo();
  assert.equal(fleet.instance(instance("bbbbb").id)?.host, "10.0.0.2");
});

test("what a lost machine ran counts as gone, and is there again when it comes back", () => {
  const { fleet, fold, other } = setUpTwo();
  fleet.unlinked(other);
  assert.equal(fleet.workloads(app).length, 2);
  fleet.giveUp(second.id);
  const gaveUp = () => fleet.machines().map(({ gaveUp: apps }) => [...apps]);
  assert.deepEqual(
    fleet.workloads(app).map((workload) => workload.machine),
    ["m1"],
  );
  assert.deepEqual(gaveUp(), [[], [app]], "what it ran is remembered while it is lost");
  fleet.linked(other, second);
  fold(snapshot([status(2)], []), other);
  assert.equal(fleet.workloads(app).length, 2);
  assert.deepEqual(gaveUp(), [[], []]);
});

test("nothing is decided before every member has told what it runs, or is given up", () => {
  const { fleet, fold } = setUp();
  fleet.await(second.id);
  fold(snapshot([], []));
  assert.equal(fleet.isKnown, false);
  fleet.giveUp(second.id);
  assert.equal(fleet.isKnown, true);
});

test("nothing is decided by what remote machines tell alone", () => {
  const { fleet } = setUp();
  const other = { machine: second.id, isRemote: true, gone: new AbortController().signal, close: () => {} } as unknown as AgentPeer;
  fleet.linked(other, second);
  fleet.fold(other, snapshot([], []));
  assert.equal(fleet.agent, null);
});
