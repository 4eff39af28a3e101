import type { z } from "zod";
import { DroverError } from "#model/errors.ts";
import { appName, processName, spaceName, variableName } from "#model/name-schemas.ts";

/** What the named parts of paths must be. Parts that are not here are free text, checked by their route. */
const paramSchemas: Readonly<Record<string, z.ZodType>> = { space: spaceName, app: appName, process: processName, name: variableName };

/** @throws {DroverError} NAME_INVALID */
export function checkParams(params: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(params)) {
    const schema = Object.hasOwn(paramSchemas, name) ? paramSchemas[name] : undefined;
    const checked = schema?.safeParse(value);
    if (checked === undefined || checked.success) continue;
    throw new DroverError("NAME_INVALID", `${quote(value)} is not ${checked.error.issues[0]?.message ?? "a name"}`, {
      hint: "Check the name in the path.",
    });
  }
}

/** @throws {DroverError} REQUEST_INVALID with each place in its details. */
export function checkWith<S extends z.ZodType>(schema: S, value: unknown, where: "query" | "body"): z.output<S> {
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.slice(0, 50).map((issue) => ({ path: issue.path.join("."), message: issue.message }));
  const first = problems[0];
  throw new DroverError(
    "REQUEST_INVALID",
    `the ${where} does not fit: ${first?.path ? `${first.path}: ` : ""}${first?.message ?? "invalid"}`,
    {
      hint: "Compare the request with the API's reference, docs/openapi.json.",
      details: { problems },
    },
  );
}

/** A value as an error quotes it: escaped, and not longer than a line. */
export function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
