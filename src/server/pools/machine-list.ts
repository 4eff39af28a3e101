import { z } from "zod";
import { DroverError } from "#model/errors.ts";
import { namePattern } from "#model/names.ts";
import type { ProvidedMachine } from "#model/pool.ts";

/** More than any pool may have, so that other machines of the account may stand in the list too. */
const mostMachines = 10_000;

const machineList = z.object({
  machines: z
    .array(
      z.object({
        name: z.string().regex(namePattern, "a machine's name"),
        // An address or a name; nothing that a URL or a command could take for something else.
        address: z
          .string()
          .max(253)
          .regex(/^[A-Za-z0-9.:_-]+$/, "an address or a host name")
          .nullable()
          .default(null),
        power: z.enum(["on", "off", "changing"]).default("on"),
      }),
    )
    .max(mostMachines),
});

/**
 * Reads what a provider's `list` printed. Keys that it does not know are left alone, because providers tell more than is asked.
 * @throws {DroverError} PROVIDER_ANSWER_INVALID with the place of what is wrong
 */
export function readMachineList(text: string, whose: string): readonly ProvidedMachine[] {
  const invalid = (what: string, cause?: unknown) =>
    new DroverError("PROVIDER_ANSWER_INVALID", `the list of ${whose} ${what}`, {
      hint: 'It prints JSON on standard output and nothing else: {"machines":[{"name":"web-1","address":"10.0.0.4","power":"on"}]}.',
      ...(cause === undefined ? {} : { cause }),
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalid(`is no JSON: it begins with ${JSON.stringify(text.slice(0, 60))}`, error);
  }
  const read = machineList.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    const at = issue === undefined || issue.path.length === 0 ? "it" : issue.path.join(".");
    throw invalid(`is not as it should be: ${at}: ${issue?.message ?? ""}`);
  }
  const twice = read.data.machines.find(({ name }, i) => read.data.machines.findIndex((one) => one.name === name) < i);
  if (twice !== undefined) throw invalid(`has the machine "${twice.name}" twice`);
  return read.data.machines as readonly { name: string }[] as readonly ProvidedMachine[];
}
