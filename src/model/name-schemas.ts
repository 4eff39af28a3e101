import { z } from "zod";
import { type AppName, type Digest, digestPattern, type MachineId, namePattern, type ProcessName, type SpaceName } from "./names.ts";

/** Apart from the names themselves, because only the server checks what people give: the other programs do without the schema library. */

const label = <Name extends string>(what: string) =>
  z
    .string()
    .regex(
      namePattern,
      `${/^[aeiou]/.test(what) ? "an" : "a"} ${what} name: 1 to 40 of a-z, 0-9 and "-", starting and ending with a letter or digit`,
    ) as unknown as z.ZodType<Name, Name> & z.ZodString;

export const spaceName = label<SpaceName>("space");
export const appName = label<AppName>("app");
export const machineName = label<MachineId>("machine");
export const tokenName = label("token");
export const processName = label<ProcessName>("process");
/** Environment and secret names, as POSIX allows them. */
export const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
export const variableName = z.string().regex(variablePattern, "a variable name: letters, digits and _, not starting with a digit");
export const digest = z
  .string()
  .regex(digestPattern, "sha256: and 64 hex digits")
  .transform((text) => text as Digest);
