import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { WorkloadId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";
import { SimulatedEngine, simulatedMachine } from "./simulated.ts";
import { engineContract } from "./testing/engine-contract.ts";

const service: Workload = {
  id: "team/app/web/1" as WorkloadId,
  revision: 1,
  kind: "service",
  count: 1,
  command: { shell: "web" },
  artifact: null,
  env: {},
  secrets: {},
  port: "auto",
  ready: null,
  alive: null,
  resources: { cpu: null, memoryBytes: null, pids: 256 },
  stop: { signal: "SIGTERM", drainMs: 1_000, graceMs: 2_000 },
  routed: false,
  volumes: [],
  restartToken: "",
  timeoutMs: null,
};

engineContract("simulated engine", async (t) => {
  const clock = new VirtualClock();
  // Ids differ by what they draw.
  let draws = 0;
  const engine = new SimulatedEngine({ machine: simulatedMachine(), clock, random: () => (draws++ * 0.618) % 1 });
  t.after(() => engine.close());
  return { engine, service, task: { ...service, kind: "task", port: "none" }, pass: (ms) => clock.advance(ms) };
});
