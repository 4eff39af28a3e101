import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The file of a program on the path; null if it is not there. What needs it is skipped then, and says so. */
export function programOnPath(name: string): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) if (existsSync(join(folder, name))) return join(folder, name);
  return null;
}
