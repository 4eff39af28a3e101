/** `counter` only ever grows while what counts it lives, and begins anew at zero; `gauge` is how it is at a moment. */
export type Kind = "counter" | "gauge";

/** A figure that is followed over time: its name and labels tell it from all others. */
export interface Series {
  readonly name: string;
  readonly kind: Kind;
  readonly labels: Readonly<Record<string, string>>;
}

/** One figure at one moment. `key` is its name and labels as one text. */
export interface Sample extends Series {
  readonly key: string;
  readonly value: number;
  /** Of a counter: epoch milliseconds at which it stood at zero, for certain. Left out: nobody knows when it began. */
  readonly zeroAtMs?: number;
}

/** Name and labels as one text, in the order in which the labels come. */
export function keyOf({ name, labels }: Pick<Series, "name" | "labels">): string {
  let key = name;
  for (const label in labels) key += `\n${label}=${labels[label]}`;
  return key;
}

/** Series of one app lie together, so that a question about one reads little of others. */
export function scopeOf({ labels }: Pick<Series, "labels">): string {
  const { space, app, machine } = labels;
  if (space === undefined) return machine === undefined ? "" : `~${machine}`;
  return app === undefined ? space : `${space}/${app}`;
}

/** By name, then by scope, then by all labels. */
export function compareSeries(a: Series & { readonly key: string }, b: Series & { readonly key: string }): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  const [scopeA, scopeB] = [scopeOf(a), scopeOf(b)];
  if (scopeA !== scopeB) return scopeA < scopeB ? -1 : 1;
  return a.key < b.key ? -1 : a.key === b.key ? 0 : 1;
}
