import { cut, escapeText, styled, visibleLength } from "./style.ts";

/** Rows under a head, in columns; the last column is cut to what a terminal has left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], columns: number | null): string[] {
  const cells = [head, ...rows].map((row) => row.map(escapeText));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => visibleLength(row[column] ?? ""))));
  return cells.map((row, index) => {
    const padded = row.map((cell, column) =>
      column === row.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - visibleLength(cell)),
    );
    const line = padded.join("  ").trimEnd();
    const fitting = columns === null ? line : cut(line, columns);
    return index === 0 ? styled("dim", fitting) : fitting;
  });
}
