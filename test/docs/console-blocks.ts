/** One command of a documentation page and what the page says that it prints. */
export interface ConsoleStep {
  readonly command: string;
  readonly expected: readonly string[];
  readonly line: number;
}

/**
 * The steps of all ```console blocks of a Markdown page. A line that starts with `$ ` is a command, lines that start with `> ` continue it,
 * the others are its output. A block that is marked with `<!-- not run -->` on the line before it is left out.
 */
export function consoleSteps(markdown: string): readonly ConsoleStep[] {
  const steps: { command: string; expected: string[]; line: number }[] = [];
  let inside = false;
  const lines = markdown.split("\n");
  for (const [i, line] of lines.entries()) {
    if (line.startsWith("```")) {
      inside = !inside && line === "```console" && lines[i - 1] !== "<!-- not run -->";
      continue;
    }
    if (!inside) continue;
    const last = steps.at(-1);
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), expected: [], line: i + 1 });
    else if (line.startsWith("> ") && last !== undefined && last.expected.length === 0) last.command += `\n${line.slice(2)}`;
    else last?.expected.push(line);
  }
  return steps;
}

/** Whether `printed` has the expected lines in order; `…` stands for anything, and runs of blanks are alike. A line that is just `…` passes over lines. */
export function printsAsExpected(expected: readonly string[], printed: string): boolean {
  const actual = printed.split("\n").map(squeeze);
  let from = 0;
  for (const line of expected.map(squeeze)) {
    if (line === "…" || line === "") continue;
    const pattern = new RegExp(`^${line.split("…").map(escapePattern).join(".*")}$`);
    const found = actual.findIndex((text, i) => i >= from && pattern.test(text));
    if (found === -1) return false;
    from = found + 1;
  }
  return true;
}

const squeeze = (line: string) => line.trim().replaceAll(/\s+/g, " ");
const escapePattern = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
