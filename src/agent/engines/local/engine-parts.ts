import { chmod, copyFile, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { ordersFolder } from "#host/last-orders.ts";
import type { Machine } from "#model/workload.ts";
import { openCgroups } from "./cgroups.ts";
import { Leases, leasesFile } from "./leases.ts";
import type { LocalEngineOptions } from "./local-engine.ts";
import { describeMachine } from "./machine.ts";
import { type Orders, openOrders } from "./orders.ts";
import { createPipeFollower } from "./pipe-follower.ts";
import { createPorts } from "./ports.ts";
import { mayGainPrivileges, readBootId } from "./proc.ts";
import { openRecords } from "./records.ts";
import { openSeal } from "./seal.ts";
import { SparePipes } from "./spare-pipes.ts";
import type { Machinery } from "./start-instance.ts";
import { openUsers } from "./users.ts";

/** What the engine finds on the machine and in its folder. */
export interface EngineParts {
  readonly orders: Orders;
  readonly machine: Machine;
  readonly machinery: Machinery;
}

export async function openParts(options: LocalEngineOptions): Promise<EngineParts> {
  const { folder, key, machine, output, artifactFolder, path, listenHost = () => null, isRoot, clock, sinceBootMs, random, log } = options;
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const [bootId, script, seal, users, cgroups, gainsPrivileges, sparePipes] = await Promise.all([
    readBootId(),
    placeScript(folder),
    openSeal(join(folder, "order.key")),
    openUsers(join(folder, "users.json"), folder, isRoot),
    openCgroups(key, log),
    mayGainPrivileges(),
    SparePipes.open(join(folder, "pipes"), log),
  ]);
  const orders = openOrders(ordersFolder(folder), seal, clock.nowMs, log);
  const surroundings = { users, volumesFolder: join(folder, "volumes"), path, listenHost, artifactFolder };
  return {
    orders,
    machine: describeMachine(machine, users, gainsPrivileges, cgroups.support),
    machinery: {
      bootId,
      script,
      surroundings,
      records: openRecords(join(folder, "instances"), log),
      ports: createPorts(random),
      cgroups,
      statsd: options.statsd ?? null,
      leases: await Leases.open({ file: leasesFile(folder), bootId, clock, sinceBootMs }),
      sparePipes,
      pipes: createPipeFollower(output, clock, log),
      output,
      clock,
    },
  };
}

/** Apps' users may not be able to read the folder that Drover is installed in; this one they can. */
async function placeScript(folder: string): Promise<string> {
  const script = join(folder, "shim.sh");
  await copyFile(join(import.meta.dirname, "shim.sh"), `${script}.new`);
  await chmod(`${script}.new`, 0o644);
  await rename(`${script}.new`, script);
  return script;
}
