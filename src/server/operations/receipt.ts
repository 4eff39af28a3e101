import type { Change, Condition } from "../store/store.ts";

/** The answer of a request that carries an idempotency key, to be kept in the very commit that the request makes. */
export interface Receipt {
  /** What to add to the commit so that the same request later gets `answer` again. */
  keep(answer: unknown): { readonly condition: Condition; readonly change: Change };
}
