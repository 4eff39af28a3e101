import { DroverError } from "#model/errors.ts";

/** Of one caller at a time: what a page of the web UI asks for, twice, and some. */
const mostOfOne = 6;
/** Of all callers: what they wait for is answered by each machine one after the other, within seconds each. */
const mostOfAll = 24;

/** How many questions about logs callers have under way. Each has a share, so that one who asks for much leaves room for the others; checks have none of it. */
export class LogShares {
  readonly #underWay = new Map<string, number>();

  /** @param by the caller @throws {DroverError} OVERLOADED */
  async within<T>(by: string, ask: () => Promise<T>): Promise<T> {
    const own = this.#underWay.get(by) ?? 0;
    if (own >= mostOfOne) throw refused(`${mostOfOne} of your searches of logs are under way already`, "Wait for their answers");
    const all = [...this.#underWay.values()].reduce((sum, one) => sum + one, 0);
    if (all >= mostOfAll) throw refused(`${mostOfAll} searches of logs are under way already`, "Try again in some seconds");
    this.#underWay.set(by, own + 1);
    try {
      return await ask();
    } finally {
      const left = (this.#underWay.get(by) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(by);
      else this.#underWay.set(by, left);
    }
  }
}

function refused(what: string, next: string): DroverError {
  return new DroverError("OVERLOADED", what, { hint: `${next}; a shorter time, or one app, is searched sooner.` });
}
