import { mkdir, readFile, rm, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { failpoint } from "#host/failpoint.ts";
import { syncFolder, writeFileAtomic } from "#host/files.ts";
import { orderFile, orderFiles } from "#host/last-orders.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { WorkloadId } from "#model/names.ts";
import type { StopRules, Workload } from "#model/workload.ts";
import type { Seal } from "./seal.ts";

/** An order as the agent last got it: a workload to run, or the memory that one was removed, so that a late order does not bring it back. */
export type Order =
  | { readonly kind: "run"; readonly workload: Workload }
  | { readonly kind: "removed"; readonly id: WorkloadId; readonly revision: number; readonly stop: StopRules; readonly atMs: number };

/** Orders on disk: what the agent goes by when the server is not there. */
export interface Orders {
  load(): Promise<readonly Order[]>;
  save(order: Order): Promise<void>;
  /** Drops an order for good. */
  discard(id: WorkloadId): Promise<void>;
}

/** How long a removal is remembered. The server's own orders never are this late; older servers are held off by the fence. */
const rememberRemovedMs = 24 * 3_600_000;

export function openOrders(folder: string, seal: Seal, nowMs: () => number, log: Log): Orders {
  const read = async (file: string): Promise<Order | null> => {
    try {
      const order = JSON.parse(await readFile(file, "utf8")) as SealedOrder;
      if (order.kind === "run") return { kind: "run", workload: openSecrets(order.workload, order.secrets, seal) };
      if (nowMs() - order.atMs < rememberRemovedMs) return order;
      await rm(file);
    } catch (error) {
      // One order that cannot be read must not keep all others from running; the server sends it again.
      log.error("order not readable", { file, error: error instanceof Error ? error.message : String(error) });
    }
    return null;
  };
  return {
    load: async () => {
      const orders = await Promise.all((await orderFiles(folder)).map(read));
      return orders.filter((order) => order !== null);
    },
    save: async (order) => {
      const id = order.kind === "run" ? order.workload.id : order.id;
      const file = orderFile(folder, id);
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      failpoint("orders.save.before");
      await writeFileAtomic(file, JSON.stringify(order.kind === "run" ? closeSecrets(order.workload, seal) : order));
      failpoint("orders.save.after");
    },
    discard: async (id) => {
      const file = orderFile(folder, id);
      try {
        await unlink(file);
        await syncFolder(dirname(file));
      } catch (error) {
        if (!hasCode(error, "ENOENT")) throw error;
      }
    },
  };
}

type SealedOrder =
  | { readonly kind: "run"; readonly workload: Omit<Workload, "secrets">; readonly secrets: string | null }
  | Extract<Order, { kind: "removed" }>;

function closeSecrets({ secrets, ...workload }: Workload, seal: Seal): SealedOrder {
  return { kind: "run", workload, secrets: Object.keys(secrets).length === 0 ? null : seal.seal(JSON.stringify(secrets), workload.id) };
}

function openSecrets(workload: Omit<Workload, "secrets">, secrets: string | null, seal: Seal): Workload {
  return { ...workload, secrets: secrets === null ? {} : (JSON.parse(seal.open(secrets, workload.id)) as Workload["secrets"]) };
}
