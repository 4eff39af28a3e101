import type { Target } from "#model/target.ts";
import { above, type Places } from "./places.ts";

/** Things at targets, found by what reaches them and by what they reach, each time in the order in which they were added. */
export class Placed<Thing> {
  readonly #places: Places;
  readonly #at = new Map<Target, Thing[]>();
  readonly #below = new Map<Target, Thing[]>();

  constructor(places: Places) {
    this.#places = places;
  }

  add(target: Target, thing: Thing): void {
    push(this.#at, target, thing);
    for (const outer of above(this.#places, target)) push(this.#below, outer, thing);
  }

  at(target: Target): readonly Thing[] {
    return this.#at.get(target) ?? [];
  }

  /** What is at the target, and at everything that a run on it reaches. */
  below(target: Target): readonly Thing[] {
    return this.#below.get(target) ?? [];
  }

  /** What is at the target, and everywhere from where a run would reach it. */
  above(target: Target): readonly Thing[] {
    return [...above(this.#places, target)].flatMap((outer) => this.at(outer));
  }

  /** Both of them, each thing once. */
  touching(target: Target): ReadonlySet<Thing> {
    return new Set([...this.above(target), ...this.below(target)]);
  }
}

function push<Thing>(things: Map<Target, Thing[]>, target: Target, thing: Thing): void {
  const known = things.get(target);
  if (known === undefined) things.set(target, [thing]);
  else known.push(thing);
}
