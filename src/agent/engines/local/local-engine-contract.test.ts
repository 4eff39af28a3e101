import { setTimeout as delay } from "node:timers/promises";
import { engineContract } from "../testing/engine-contract.ts";
import { workload } from "../testing/workload.ts";
import { localWorld } from "./testing/local-world.ts";

engineContract("local engine", async (t) => {
  const world = await localWorld(t);
  return {
    engine: await world.open(),
    service: workload("exec sleep 1000"),
    task: workload("exit 0", { kind: "task" }),
    pass: (ms) => delay(ms),
  };
});
