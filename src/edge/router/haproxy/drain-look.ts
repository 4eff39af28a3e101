/** How often what drains is looked at: soon at first, since most have nothing open. */
const drainLook = { firstMs: 10, longestMs: 500, growth: 1.5 } as const;

/** Endless: how long to wait before each look. */
export function* growing(): Generator<number, never, void> {
  for (let waitMs: number = drainLook.firstMs; ; waitMs = Math.min(drainLook.longestMs, waitMs * drainLook.growth)) yield waitMs;
}
