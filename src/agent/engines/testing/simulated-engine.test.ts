import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { engineContract } from "./engine-contract.ts";
import { SimulatedEngine, simulatedMachine } from "./simulated-engine.ts";
import { workload } from "./workload.ts";

const service = workload("web", { port: "auto" });

engineContract("simulated engine", async (t) => {
  const clock = new VirtualClock();
  // Ids differ by what they draw.
  let draws = 0;
  const engine = new SimulatedEngine({ machine: simulatedMachine(), clock, random: () => (draws++ * 0.618) % 1 });
  t.after(() => engine.close());
  return { engine, service, task: { ...service, kind: "task", port: "none" }, pass: (ms) => clock.advance(ms) };
});
