/** Width and height of a drawing in its own units; the page stretches it. */
export const drawing = { width: 1_000, height: 100 } as const;

/** The round number that the axis ends with: 1, 2 or 5 times a power of ten, or of 1024 for bytes. */
export function axisEnd(most: number, isBytes: boolean): number {
  if (!(most > 0)) return 1;
  const power = isBytes ? 1_024 ** Math.floor(Math.log(most) / Math.log(1_024)) : 10 ** Math.floor(Math.log10(most));
  const steps = isBytes ? [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024] : [1, 2, 5, 10];
  return power * (steps.find((step) => power * step >= most) ?? 10);
}

/** A line through the points that are known, broken where one is not. @param end of the axis, which begins with 0 */
export function lineOf(values: readonly (number | null)[], end: number): string {
  const step = values.length < 2 ? 0 : drawing.width / (values.length - 1);
  let line = "";
  let isDown = false;
  for (const [i, value] of values.entries()) {
    if (value === null) {
      isDown = false;
      continue;
    }
    const y = drawing.height - (Math.min(Math.max(value, 0), end) / end) * drawing.height;
    line += `${isDown ? "L" : "M"}${round(i * step)} ${round(y)}`;
    // A point alone is a dot, which the round ends of the line make of no length.
    if (!isDown && (values[i + 1] ?? null) === null) line += "h0";
    isDown = true;
  }
  return line;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Labels that tell series apart: what all have in common says nothing about one of them. */
export function tellingLabels(series: readonly { readonly labels: Readonly<Record<string, string>> }[]): readonly string[] {
  const names = [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))];
  const first = series[0]?.labels ?? {};
  return names.filter((name) => series.some(({ labels }) => labels[name] !== first[name]));
}
