import { errorCodes } from "#model/errors.ts";

/** The page of all error codes. */
export function errorReference(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, { status, exit, retryable, meaning }]) => `| \`${code}\` | ${status} | ${exit} | ${retryable ? "yes" : "no"} | ${meaning} |`,
  );
  return `# Error codes

Every failure has a stable code, in the API's answers as \`code\` and at the end of the command line's error in brackets. Branch on the code; the words
may change. *Status* is the HTTP status, *exit* the exit code of the command, and *retry* says whether the same request may succeed later with
nothing changed by the caller.

| code | status | exit | retry | meaning |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

Generated from \`src/model/errors.ts\` by \`npm run generate\`.
`;
}
