import { type LogMasks, maskPattern, spaceOfInstance } from "#model/log-mask.ts";

/** Finds, by instance, what is not shown of its lines; made once for each question. */
export class LineMasks {
  #patterns: ReadonlyMap<string, RegExp | null> = new Map();

  constructor(masks: LogMasks = {}) {
    this.become(masks);
  }

  /** From now on these, in place of those before. */
  become(masks: LogMasks): void {
    this.#patterns = new Map(Object.entries(masks).map(([space, forms]) => [space, maskPattern(forms)]));
  }

  /** Null: all of it is shown. */
  of(instance: string): RegExp | null {
    return this.#patterns.size === 0 ? null : (this.#patterns.get(spaceOfInstance(instance)) ?? null);
  }
}
