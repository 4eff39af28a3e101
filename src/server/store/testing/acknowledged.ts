import assert from "node:assert/strict";
import type { Store } from "../store.ts";

/** What crash-writer.ts said was durable, over any number of its runs on one folder. */
export class Acknowledged {
  readonly #numbers = new Map<string, number>();
  #revision = 0;

  /** Takes in the whole lines of a run's output. A line that was cut by the kill was not said. */
  hear(output: string): void {
    for (const line of output.split("\n").slice(0, -1)) {
      const [writer, number, revision] = line.split(" ");
      if (writer === undefined || number === undefined) continue;
      this.#numbers.set(writer, Math.max(this.#numbers.get(writer) ?? 0, Number(number)));
      this.#revision = Math.max(this.#revision, Number(revision));
    }
  }

  get count(): number {
    return [...this.#numbers.values()].reduce((sum, number) => sum + number, 0);
  }

  /** Fails if anything that was acknowledged is lost, or anything is there by half. */
  check(store: Store): void {
    assert.ok(store.revision >= this.#revision, `revision ${this.#revision} was acknowledged, and the store ends at ${store.revision}`);
    const numberAt = (key: string) => Number.parseInt(Buffer.from(store.get(key)?.value ?? []).toString() || "0", 10);
    for (const { key } of store.list("/left/")) {
      const writer = key.slice("/left/".length);
      const number = numberAt(key);
      assert.ok(
        number >= (this.#numbers.get(writer) ?? 0),
        `writer ${writer} was told that ${this.#numbers.get(writer)} is durable; there is ${number}`,
      );
      assert.equal(numberAt(`/right/${writer}`), number, `writer ${writer}: half a transaction`);
      const expected = [number - 2, number - 1, number].filter((n) => n > 0).map((n) => `/new/${writer}/${n}`);
      assert.deepEqual(
        store.list(`/new/${writer}/`).map((entry) => entry.key),
        expected.toSorted(),
        `writer ${writer}: half a transaction`,
      );
    }
    for (const writer of this.#numbers.keys()) assert.ok(store.get(`/left/${writer}`) !== null, `writer ${writer} is lost`);
  }
}
