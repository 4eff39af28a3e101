import type { InstanceId } from "#model/names.ts";
import type { Draining } from "#model/routing-table.ts";
import { OpenCounts } from "../router/open-counts.ts";
import type { TableChange } from "../router/router.ts";

/**
 * What is still open on instances that left the table, over all workers. Zero is told only when every worker has said so: while a change is on its
 * way, some have not heard of it yet.
 */
export class DrainTotals {
  readonly #told = new OpenCounts();
  /** By instance: what each worker that has something to say of it said last. */
  readonly #open = new Map<InstanceId, Leaving>();
  /** Nothing was open on them wherever they have left, while a change is on its way. Nearly all are here: it costs one look for each. */
  readonly #letGo = new Set<InstanceId>();
  #changes = 0;

  /** A change is about to be sent to the workers. */
  begin(change: TableChange): void {
    this.#changes++;
    this.#enter(change);
  }

  /** Every worker has the change in force. */
  end(change: TableChange): void {
    this.#changes--;
    // What was said of them before they came back means nothing any more.
    this.#enter(change);
    if (this.#changes > 0) return;
    for (const id of this.#letGo) this.#told.tell(id, 0);
    this.#letGo.clear();
    for (const id of this.#open.keys()) this.#sum(id);
  }

  tell(worker: number, id: InstanceId, open: number): void {
    let leaving = this.#open.get(id);
    if (leaving === undefined && open === 0) {
      if (this.#changes > 0) this.#letGo.add(id);
      else this.#told.tell(id, 0);
      return;
    }
    if (leaving === undefined) {
      this.#letGo.delete(id);
      leaving = { counts: new Map(), told: null };
      this.#open.set(id, leaving);
    }
    leaving.counts.set(worker, open);
    this.#sum(id);
  }

  /** The worker died, and all that was open with it. */
  forget(worker: number): void {
    for (const [id, { counts }] of this.#open) if (counts.delete(worker)) this.#sum(id);
  }

  read(signal: AbortSignal): AsyncIterable<Draining> {
    return this.#told.read(signal);
  }

  #sum(id: InstanceId): void {
    const leaving = this.#open.get(id);
    if (leaving === undefined) return;
    let sum = 0;
    for (const open of leaving.counts.values()) sum += open;
    if (sum === leaving.told || (sum === 0 && this.#changes > 0)) return;
    leaving.told = sum;
    this.#told.tell(id, sum);
    if (sum === 0) this.#open.delete(id);
  }

  #enter({ set }: TableChange): void {
    if (this.#open.size === 0 && this.#letGo.size === 0 && this.#told.isEmpty) return;
    for (const { targets } of set)
      for (const { endpoints } of targets)
        for (const { instance } of endpoints) {
          this.#open.delete(instance);
          this.#letGo.delete(instance);
          this.#told.forget(instance);
        }
  }
}

interface Leaving {
  readonly counts: Map<number, number>;
  /** The sum that was told last. */
  told: number | null;
}
