/** What this run's choices come from; DROVER_SEED replays another run's. */
export const seed = Number(process.env["DROVER_SEED"] ?? Date.now() % 1_000_000);

export function seeded(start: number): () => number {
  let state = start >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
