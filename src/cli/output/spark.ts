const heights = [..."▁▂▃▄▅▆▇█"];

/** A line of so many characters, from nothing to the highest point; a gap where no point is known. */
export function spark(values: readonly (number | null)[], columns: number): string {
  const width = Math.min(columns, values.length);
  const points = Array.from({ length: width }, (_, i) => {
    const known = values
      .slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width))
      .filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
  });
  const known = points.filter((point) => point !== null);
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  return points
    .map((point) =>
      point === null ? " " : (heights[high === low ? 0 : Math.round(((point - low) / (high - low)) * (heights.length - 1))] ?? " "),
    )
    .join("");
}
