import { DroverError } from "#model/errors.ts";
import { namePattern } from "#model/names.ts";

/** Largest number of process kinds, as in a manifest. */
const mostProcesses = 50;

/**
 * The processes of a Procfile: a name, a colon, a command line. Comments and empty lines are passed over.
 * @throws {DroverError} BUILD_FAILED with the line that is wrong
 */
export function parseProcfile(text: string): Readonly<Record<string, string>> {
  const processes = new Map<string, string>();
  for (const [i, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, name = "", command = ""] = /^([^:\s]+)\s*:\s*(.+)$/.exec(line) ?? [];
    const problem =
      command === ""
        ? 'is not of the form "name: command"'
        : !namePattern.test(name)
          ? `names a process ${JSON.stringify(name.slice(0, 60))}, which has to be a-z, 0-9 and "-"`
          : processes.has(name)
            ? `names the process "${name}" a second time`
            : null;
    if (problem !== null)
      throw new DroverError("BUILD_FAILED", `line ${i + 1} of the Procfile ${problem}`, {
        hint: 'Write lines such as "web: node server.js".',
      });
    processes.set(name, command);
  }
  if (processes.size > mostProcesses) throw new DroverError("BUILD_FAILED", `the Procfile names more than ${mostProcesses} processes`);
  return Object.fromEntries(processes);
}
