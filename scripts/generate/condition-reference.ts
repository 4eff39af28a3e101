import { type Condition, conditions } from "#model/conditions.ts";

/** The page of all conditions, by what they are of. */
export function conditionReference(): string {
  const all: readonly (readonly [string, Condition])[] = Object.entries(conditions);
  const parts = [...Map.groupBy(all, ([, { of }]) => of)].map(([of, own]) => {
    const rows = own.map(([code, { severity, cause, remedy }]) => `| \`${code}\` | ${severity} | ${cause} | ${remedy} |`);
    return `## Of ${of === "app" || of === "instance" || of === "edge" ? "an" : "a"} ${of}\n\n| code | severity | cause | remedy |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  return `# Conditions

What \`drover why\`, \`drover status\` and the web UI say of things that are not as they should be ends with a code. This is what each means and what to do;
\`drover explain CODE\` says the same. An *error* is something that should work and does not, a *warning* may become that, and *info* is on its way or as
somebody asked. Where something fails by an error of a request, its code is one of [errors](errors.md).

${parts.join("\n")}
Generated from \`src/model/conditions.ts\` by \`npm run generate\`.
`;
}
