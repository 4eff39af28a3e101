// How long does planning take in a fleet of 5,000 machines with 50,000 instances: for a new app of 1,000 instances, and for all apps of which something
// was on 100 machines that are lost at once? The fleet is the server's own; its agents are names without a link.
import {
  type AppId,
  type AppName,
  appId,
  type InstanceId,
  type MachineId,
  type ProcessName,
  type SpaceName,
  workloadId,
} from "../src/model/names.ts";
import type { EngineChange, Instance, Machine, Workload, WorkloadStatus } from "../src/model/workload.ts";
import { anywhere } from "../src/plan/placement/plan-placement.ts";
import type { RolloutPlan } from "../src/plan/rollout/input.ts";
import { planRollout } from "../src/plan/rollout/plan-rollout.ts";
import { app, release, t0, undisturbed, web } from "../src/plan/testing/planner-world.ts";
import { observe } from "../src/server/controllers/observe.ts";
import { Fleet } from "../src/server/fleet/fleet.ts";
import type { AgentPeer } from "../src/server/fleet/peers.ts";
import { median, quantile, report } from "./lib.ts";

const machines = 5_000;
const apps = 1_000;
const instancesOfApp = 50;
const lost = 100;
const resources = { cpu: 0.25, memoryBytes: 2 ** 28, pids: 512 };

const space = "s" as SpaceName;
const nameOf = (index: number) => `app${index}` as AppName;
const first = release(1, "active", { process: { resources } });
const releases = new Map([[1, first]]);
const never = new AbortController().signal;
const machineId = (index: number) => `m${String(index).padStart(4, "0")}` as MachineId;
const peers = Array.from(
  { length: machines },
  (_, i) => ({ machine: machineId(i), isRemote: i > 0, gone: never, close: () => {} }) as unknown as AgentPeer,
);

/** Machine `index` has ten instances: of app k, instance j is on machine (k * 50 + j) mod 5,000. */
function snapshotOf(index: number): EngineChange {
  const workloads: WorkloadStatus[] = [];
  const instances: Instance[] = [];
  for (let slot = index; slot < apps * instancesOfApp; slot += machines) {
    const name = nameOf(Math.floor(slot / instancesOfApp));
    const id = workloadId({ space, app: name, process: web, release: 1 });
    workloads.push({ id, revision: 1, kind: "service", count: 1, reason: null });
    instances.push({
      id: `${space}/${name}/web.1.${slot}` as InstanceId,
      workload: id,
      machine: machineId(index),
      state: "running",
      ready: true,
      port: 20_000,
      ...undisturbed,
    });
  }
  return { kind: "snapshot", workloads, instances };
}

function makeFleet(): { readonly fleet: Fleet; readonly woken: Set<AppId> } {
  const woken = new Set<AppId>();
  const fleet: Fleet = new Fleet({
    resourcesOf: () => resources,
    onApp: (id) => woken.add(id),
    onInstance: () => {},
    onMachine: () => {},
  });
  for (const [index, peer] of peers.entries()) {
    const machine = { id: peer.machine, hostName: peer.machine, cores: 16, memoryBytes: 2 ** 36, isolation: {} } as unknown as Machine;
    fleet.linked(peer, machine);
    fleet.fold(peer, snapshotOf(index));
  }
  return { fleet, woken };
}

function plan(fleet: Fleet, name: AppName, wanted: number): RolloutPlan {
  return planRollout({
    app: app({ space, name, instances: { [web]: wanted }, target: 1, active: 1 }),
    releases,
    rollout: null,
    observed: observe(fleet, appId(space, name), () => true),
    observedSinceMs: t0,
    machines: fleet.rooms(),
    placement: anywhere,
    held: new Map(),
    unreadyNeeds: [],
    traffic: null,
    nowMs: t0,
  });
}

/** As the controller does: each order counts at once for the next plan. */
function carryOut(fleet: Fleet, name: AppName, { orders }: RolloutPlan): number {
  let placed = 0;
  for (const order of orders) {
    const peer = peers[Number(order.machine.slice(1))];
    if (order.kind !== "apply" || peer === undefined) continue;
    const id = workloadId({ space, app: name, process: "web" as ProcessName, release: 1 });
    fleet.ordered(peer, { id, revision: 2, count: order.count, kind: "service" } as Workload, "digest");
    placed += order.count;
  }
  return placed;
}

const filling = performance.now();
const { fleet, woken } = makeFleet();
report("5,000 machines tell of 50,000 instances", performance.now() - filling, "ms");
report("memory of that", process.memoryUsage().heapUsed / 2 ** 20, "MiB", { goal: "server < 1 GB" });

const times: number[] = [];
for (let round = 0; round < 11; round++) {
  fleet.standingChanged(machineId(0));
  const startedAt = performance.now();
  const { orders } = plan(fleet, "fresh" as AppName, 1_000);
  times.push(performance.now() - startedAt);
  if (orders.length !== 1_000) throw new Error(`${orders.length} machines were chosen for 1,000 instances`);
}
report("placing an app of 1,000 instances, median", median(times), "ms", { goal: "< 200 ms", ok: median(times) < 200 });
report("placing an app of 1,000 instances, worst", quantile(times, 1), "ms");

for (let index = 1; index <= lost; index++) fleet.unlinked(peers[index * 7] as AgentPeer);
woken.clear();
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
for (let index = 1; index <= lost; index++) fleet.giveUp(machineId(index * 7));
let placed = 0;
for (const id of [...woken]) {
  const name = id.slice(id.indexOf("/") + 1) as AppName;
  placed += carryOut(fleet, name, plan(fleet, name, instancesOfApp));
}
const tookMs = performance.now() - startedAt;
const cpu = process.cpuUsage(cpuBefore);
report("  processor time of that", (cpu.user + cpu.system) / 1_000, "ms");
report(`${lost} machines lost: planning for ${woken.size} apps, ${placed} orders`, tookMs, "ms", { goal: "< 1000 ms", ok: tookMs < 1_000 });
