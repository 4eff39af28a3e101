import type { ManifestProblem } from "#model/api.ts";
import { DroverError, type ErrorBody, errorCodes, hasCode } from "#model/errors.ts";
import { styled } from "./style.ts";
import { count } from "./time.ts";

export interface ErrorReport {
  readonly body: ErrorBody;
  /** For people; unescaped, so every line goes through the printer. */
  readonly lines: readonly string[];
  readonly exit: number;
}

/** Deepest chain of causes that is told; deeper ones are echoes. */
const longestChain = 6;

/** What is said of a failure: the chain of its messages, its code, its hint, and the places in manifests that it is about. */
export function reportError(error: unknown, sources: ReadonlyMap<string, string>): ErrorReport {
  const isOurs = error instanceof DroverError;
  const body: ErrorBody = {
    code: isOurs ? error.code : "INTERNAL",
    message: chain(error),
    hint: isOurs ? error.hint : "This is a defect in the command; run it again with DROVER_DEBUG=1 to see where, and report it.",
    details: isOurs ? error.details : null,
  };
  const problems = problemsOf(body);
  const lines = [`${styled("red", "error:")} ${heading(body, problems)}   [${body.code}]`];
  for (const problem of problems) lines.push(...describeProblem(problem, sources));
  for (const line of outputOf(body)) lines.push(`  | ${line}`);
  // Each place says already what was meant.
  const isTold = problems.some(({ nearest }) => nearest !== null && body.hint === `Did you mean "${nearest}"?`);
  const hint = isTold ? "Mend the manifest; docs/reference/manifest.md lists every key." : body.hint;
  if (hint !== "") lines.push(`${styled("bold", "hint:")}  ${hint}`);
  return { body, lines, exit: errorCodes[body.code].exit };
}

function chain(error: unknown): string {
  const messages: string[] = [];
  for (let link: unknown = error; link !== undefined && link !== null && messages.length < longestChain; ) {
    const message = link instanceof Error ? link.message : String(link);
    // A file or socket that is not there is the machine's way of saying what our words above it say.
    if (link !== error && (hasCode(link, "ENOENT") || hasCode(link, "EEXIST"))) break;
    if (message !== "" && !messages.includes(message)) messages.push(message);
    link = link instanceof Error ? link.cause : undefined;
  }
  return messages.join(": ");
}

/** The message, unless it only says what the problems below it say at more length. */
function heading({ message }: ErrorBody, problems: readonly ManifestProblem[]): string {
  const isRepeated = problems.some(({ file, line, column }) => message.includes(`${file}:${line}:${column}`));
  return isRepeated ? `${count(problems.length, "problem")} in the manifests` : message;
}

function problemsOf(body: ErrorBody): readonly ManifestProblem[] {
  const { details } = body;
  const list = Array.isArray(details) ? details : isRecord(details) && Array.isArray(details["problems"]) ? details["problems"] : [];
  return list.filter(
    (problem): problem is ManifestProblem => isRecord(problem) && "file" in problem && "line" in problem && "wanted" in problem,
  );
}

/** The last lines of a build or an instance, which say more than any sentence about them. */
function outputOf(body: ErrorBody): readonly string[] {
  const lines = isRecord(body.details) ? body.details["lines"] : null;
  return Array.isArray(lines) ? lines.filter((line) => typeof line === "string" && line.trim() !== "") : [];
}

function describeProblem(problem: ManifestProblem, sources: ReadonlyMap<string, string>): string[] {
  const { file, line, column, path, found, wanted, nearest } = problem;
  const at = path === "" ? "" : ` at ${path}`;
  const meant = nearest === null ? "" : `; did you mean "${nearest}"?`;
  const what = problem.kind === "not-yet" ? `${found} is not supported yet: ${wanted}` : `found ${found}, wanted ${wanted}${meant}`;
  const said = [`${styled("bold", `${file}:${line}:${column}`)}${at}: ${what}`];
  const source = sources.get(file)?.split(/\r?\n/, line)[line - 1];
  if (source === undefined || source.trim() === "") return said;
  // Tabs would shift the caret; YAML forbids them where they would matter.
  const number = String(line);
  said.push(`  ${number} | ${source.replaceAll("\t", " ")}`);
  said.push(`  ${" ".repeat(number.length)} | ${" ".repeat(Math.max(0, column - 1))}${styled("red", "^")}`);
  return said;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
