import { readFile } from "node:fs/promises";
import { DroverError } from "#model/errors.ts";
import { parseTarget, type Target } from "#model/ssh-target.ts";
import { readLabel } from "../arguments.ts";

/** A file that names more hosts than a person would write by hand is another file. */
const longestFile = 2 ** 20;
/** As many tokens as fit into the time that one is good for; a larger fleet is added in parts. */
const mostTargets = 1_000;

/** One host a line, with its labels behind it: `ops@10.0.0.12 zone=a`. Empty lines and what follows a "#" count for nothing. @throws {DroverError} */
export async function readTargets(file: string, labels: Readonly<Record<string, string>>): Promise<readonly Target[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new DroverError("USAGE", `the file of hosts "${file}" cannot be read`, {
      cause: error,
      hint: "Give a file with one host a line.",
    });
  });
  if (text.length > longestFile) throw new DroverError("BODY_TOO_LARGE", `"${file}" is over ${longestFile / 2 ** 20} MiB`);
  return text.split("\n").flatMap((line, index) => {
    const [target, ...own] = line
      .replace(/(^|\s)#.*/, "")
      .split(/\s+/)
      .filter((word) => word !== "");
    if (target === undefined) return [];
    try {
      return [parseTarget(target, { ...labels, ...Object.fromEntries(own.map(readLabel)) })];
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      throw new DroverError(error.code, `${file}:${index + 1}: ${error.message}`, { hint: error.hint });
    }
  });
}

/** @throws {DroverError} USAGE if there is none, too many, or one twice */
export function requireTargets(targets: readonly Target[]): void {
  if (targets.length === 0)
    throw new DroverError("USAGE", "no host was named", { hint: 'Name them, such as "drover machine add ops@10.0.0.12", or give --file.' });
  if (targets.length > mostTargets)
    throw new DroverError("USAGE", `${targets.length} hosts are more than ${mostTargets}`, { hint: "Add them in parts." });
  const seen = new Set<string>();
  for (const target of targets) {
    const place = `${target.host}:${target.port ?? ""}`;
    const twice = seen.has(place) ? target.host : target.name !== null && seen.has(`${target.name}=`) ? target.name : null;
    if (twice !== null)
      throw new DroverError("USAGE", `"${twice}" is named twice`, { hint: "Name each host once, and each machine differently." });
    seen.add(place);
    if (target.name !== null) seen.add(`${target.name}=`);
  }
}
