import { DroverError, errorCodes } from "#model/errors.ts";
import { errorFields } from "./log.ts";

/** Tells people on standard error what ended a long-running program, as commands do; of a bug also where it is. @returns the exit status */
export function tellEnd(error: unknown): number {
  const { error: words, stack } = errorFields(error);
  if (error instanceof DroverError) {
    process.stderr.write(`error: ${words}   [${error.code}]\n${error.hint === "" ? "" : `hint:  ${error.hint}\n`}`);
    return errorCodes[error.code].exit;
  }
  process.stderr.write(`error: ${stack ?? words}\n`);
  return 1;
}
