import type { InstanceId } from "#model/names.ts";
import type { Draining } from "#model/routing-table.ts";
import { OpenCounts } from "../open-counts.ts";

/** One running copy as the edge sees it, over all routes that lead to it. */
export interface Instance {
  readonly id: InstanceId;
  /** Requests and connections on it now. */
  open: number;
  /** Endpoints of it in the table; none means that it has left. */
  inTable: number;
}

/** Who left the table and what is still open there. */
export class Drains {
  readonly #instances = new Map<InstanceId, Instance>();
  readonly #left = new OpenCounts();

  instance(id: InstanceId): Instance {
    let instance = this.#instances.get(id);
    if (instance === undefined) {
      instance = { id, open: 0, inTable: 0 };
      this.#instances.set(id, instance);
    }
    return instance;
  }

  entered(instance: Instance): void {
    instance.inTable++;
    this.#left.forget(instance.id);
  }

  /** To be called once the change of the table that took it out is complete. */
  left(instance: Instance): void {
    if (instance.inTable > 0) return;
    this.#tell(instance);
  }

  opened(instance: Instance): void {
    instance.open++;
  }

  closed(instance: Instance): void {
    instance.open--;
    if (instance.inTable === 0) this.#tell(instance);
  }

  read(signal: AbortSignal): AsyncIterable<Draining> {
    return this.#left.read(signal);
  }

  #tell({ id, open }: Instance): void {
    this.#left.tell(id, open);
    if (open === 0) this.#instances.delete(id);
  }
}
