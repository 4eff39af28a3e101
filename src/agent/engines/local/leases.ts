import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import type { Clock } from "#model/clock.ts";
import type { WorkloadId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";

/** Ends of leases as they are on disk: in milliseconds since boot, which all programs of the machine count alike. */
export interface StoredLeases {
  readonly bootId: string;
  readonly ends: Readonly<Record<WorkloadId, number>>;
}

export interface LeasesOptions {
  readonly file: string;
  readonly bootId: string;
  readonly clock: Clock;
  /** Milliseconds since the machine's boot; null: what must not run twice needs no lease here, because the server is beside it. */
  readonly sinceBootMs: (() => number) | null;
}

/** Until when each workload that must not run twice may run here. On disk too, for an agent that starts again and for the keeper, should none do. */
export class Leases {
  readonly #options: LeasesOptions;
  /** On the monotonic clock of this agent. */
  readonly #ends = new Map<WorkloadId, number>();

  private constructor(options: LeasesOptions) {
    this.#options = options;
  }

  static async open(options: LeasesOptions): Promise<Leases> {
    const leases = new Leases(options);
    const { file, bootId, clock, sinceBootMs } = options;
    if (sinceBootMs === null) return leases;
    const stored = await readLeases(file, bootId);
    const offsetMs = clock.monotonicMs() - sinceBootMs();
    for (const [id, endMs] of Object.entries(stored)) leases.#ends.set(id as WorkloadId, endMs + offsetMs);
    return leases;
  }

  /** When the workload's lease is over, on the monotonic clock: in the past if it has none. Null: it needs none. */
  endsAtMs(id: WorkloadId, order: Pick<Workload, "onlyOne"> | null): number | null {
    if (this.#options.sinceBootMs === null) return null;
    const endsAtMs = this.#ends.get(id);
    // Of an order that is not known any more, only a lease tells that it was for something that needs one.
    if (endsAtMs === undefined && order?.onlyOne !== true) return null;
    return endsAtMs ?? Number.NEGATIVE_INFINITY;
  }

  /** Whether the workload may run now. */
  covers(workload: Workload): boolean {
    const endsAtMs = this.endsAtMs(workload.id, workload);
    return endsAtMs === null || endsAtMs > this.#options.clock.monotonicMs();
  }

  /** Never shortens a lease. Resolves once it is on disk, so that nobody who reads it there ends what may run. */
  async renew(ids: readonly WorkloadId[], endsAtMs: number): Promise<void> {
    const { file, bootId, clock, sinceBootMs } = this.#options;
    if (sinceBootMs === null || ids.length === 0) return;
    for (const id of ids) this.#ends.set(id, Math.max(endsAtMs, this.#ends.get(id) ?? endsAtMs));
    const offsetMs = sinceBootMs() - clock.monotonicMs();
    const ends = Object.fromEntries([...this.#ends].map(([id, end]) => [id, end + offsetMs]));
    // Only processes outlive this agent: after a power cut nothing runs that a lease could be about.
    await writeFileAtomic(file, JSON.stringify({ bootId, ends } satisfies StoredLeases), { durable: false });
  }

  /** Nothing of the workload is here any more. */
  forget(id: WorkloadId): void {
    this.#ends.delete(id);
  }
}

/** @param folder of the agent */
export function leasesFile(folder: string): string {
  return join(folder, "leases.json");
}

/** Ends of leases in milliseconds since boot; none that were given before this boot. */
export async function readLeases(file: string, bootId: string): Promise<StoredLeases["ends"]> {
  const text = await readTextIfThere(file);
  const stored = text === null ? null : (JSON.parse(text) as StoredLeases);
  return stored?.bootId === bootId ? stored.ends : {};
}
