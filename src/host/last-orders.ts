import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "#model/errors.ts";
import { parseWorkloadId, type WorkloadId } from "#model/names.ts";

/** Where an agent keeps the orders it goes by, below its folder. */
export function ordersFolder(agent: string): string {
  return join(agent, "orders");
}

/** The file of one order in that folder. */
export function orderFile(folder: string, id: WorkloadId): string {
  const { space, app, process, release } = parseWorkloadId(id);
  return join(folder, space, app, `${process}.${release}.json`);
}

/** The files of all orders in that folder. */
export async function orderFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true }).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  });
  return names.filter((name) => name.endsWith(".json")).map((name) => join(folder, name));
}

/**
 * Services that this machine's agent was last told to run, and how many instances of each: what is left to go by where neither a server nor
 * what is declared can be asked. An order that cannot be read is left out, as its agent leaves it out.
 */
export async function lastOrders(agent: string): Promise<ReadonlyMap<WorkloadId, number>> {
  const counts = new Map<WorkloadId, number>();
  for (const file of await orderFiles(ordersFolder(agent))) {
    const service = readService(await readFile(file, "utf8"));
    if (service !== null && service.count > 0) counts.set(service.id, service.count);
  }
  return counts;
}

function readService(text: string): { readonly id: WorkloadId; readonly count: number } | null {
  try {
    const { kind, workload } = JSON.parse(text);
    if (kind !== "run" || workload.kind !== "service" || !Number.isSafeInteger(workload.count)) return null;
    parseWorkloadId(workload.id);
    return { id: workload.id, count: workload.count };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError) return null;
    throw error;
  }
}
