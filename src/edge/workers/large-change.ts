import type { RouteId } from "#model/names.ts";
import type { TableChange } from "../router/router.ts";

/** Routes that are put in force together: a worker takes some 2 ms for them, and whatever else changes waits no longer than for two of these. */
export const routesTogether = 20;

export function isLarge({ set, remove }: TableChange): boolean {
  return set.length + remove.length > routesTogether;
}

/** A change of much of the table, put in force part by part. Newer changes overtake it: what they are about is left out of what is still to come. */
export class LargeChange {
  readonly #change: TableChange;
  readonly #newer = new Set<RouteId>();

  constructor(change: TableChange) {
    this.#change = change;
  }

  overtake({ set, remove }: TableChange): void {
    for (const { id } of set) this.#newer.add(id);
    for (const id of remove) this.#newer.add(id);
  }

  /** What is new comes before what goes, so that no place is without a route in between. */
  *parts(): Generator<TableChange, void, void> {
    const { set, remove } = this.#change;
    for (let at = 0; at < set.length; at += routesTogether) {
      const part = set.slice(at, at + routesTogether).filter(({ id }) => !this.#newer.has(id));
      if (part.length > 0) yield { set: part, remove: [] };
    }
    for (let at = 0; at < remove.length; at += routesTogether) {
      const part = remove.slice(at, at + routesTogether).filter((id) => !this.#newer.has(id));
      if (part.length > 0) yield { set: [], remove: part };
    }
  }
}
