import { type Right, rights, roles } from "#model/access.ts";
import type { Route } from "../../src/server/api/route.ts";
import { allRoutes } from "../../src/server/api/routes/index.ts";
import type { Services } from "../../src/server/api/services.ts";

const places: Readonly<Record<string, string>> = {
  space: "a space",
  installation: "the installation",
  each: "each space",
  common: "everybody",
};

/** The page of who may do what: the rights by role, then every route with the right that it asks for. */
export function accessReference(): string {
  // The table is read and no handler is called, so nothing stands behind it.
  const routes = allRoutes({} as Services);
  const names = Object.keys(rights) as Right[];
  const mark = (role: (typeof roles)[number], right: Right) => (roles.indexOf(role) >= roles.indexOf(rights[right].role) ? "yes" : "");
  const rightRows = names.map(
    (right) => `| \`${right}\` | ${rights[right].allows} | ${roles.map((role) => mark(role, right)).join(" | ")} |`,
  );
  const groups = names.map((right) => {
    const rows = routes.flatMap((route) => (typeof route.access === "object" && route.access.right === right ? [row(route)] : []));
    return `## ${right}\n\n| method | path | of |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
  });
  const free = routes.filter(({ access }) => typeof access !== "object");
  const freeRows = free.map(
    ({ method, path, access }) => `| ${method} | \`${path}\` | ${access === "open" ? "nothing" : "a one-time ticket"} |`,
  );
  return `# Who may do what

Every route of the API names one right. A token has the rights of its role, and of the roles before it, in the spaces that it is for.
[The guide](../guides/access.md) says how tokens are made.

| right | allows to | ${roles.join(" | ")} |
| --- | --- | ${roles.map(() => "---").join(" | ")} |
${rightRows.join("\n")}

*Of* says what a route is about: *a space* that the request names, so a token needs to be for that space; *the installation*, which takes a token for all spaces;
*each space*, where the answer has what the token is for and no more; or *everybody* with a token.

${groups.join("\n")}
## Without a token

| method | path | takes |
| --- | --- | --- |
${freeRows.join("\n")}

Generated from the route table and \`src/model/access.ts\` by \`npm run generate\`.
`;
}

function row({ method, path, access }: Route): string {
  const of = typeof access !== "object" ? "" : typeof access.of === "function" ? "space" : access.of;
  return `| ${method} | \`${path}\` | ${places[of]} |`;
}
