import { isBeingDestroyed } from "#model/app.ts";
import { DroverError } from "#model/errors.ts";
import type { ProcessName } from "#model/names.ts";
import { type FoundProblem, nearest, show } from "../manifests/problems.ts";
import type { DeclaredApp } from "../manifests/read-manifests.ts";
import { type Draft, problemAt, type Surroundings } from "./app-draft.ts";
import { routeKey } from "./app-routes.ts";
import { declaredProcesses } from "./release-spec.ts";
import { targetSpec } from "./releases.ts";

/** Each route leads to a process that can take it, and is this app's alone. */
export function routeProblems(drafts: readonly Draft[], surroundings: Surroundings): readonly FoundProblem[] {
  const seen = new Map<string, { readonly declared: DeclaredApp; readonly path: readonly string[] }>();
  const problems: FoundProblem[] = [];
  for (const draft of drafts) {
    const { declared, routes } = draft;
    for (const [index, route] of routes.entries()) {
      const path = declared.manifest.routes === undefined ? ["app"] : ["routes", String(index)];
      problems.push(...targetProblems(draft, route, path, surroundings));
      const key = routeKey(route);
      const owner = surroundings.owners.get(key);
      const twin = seen.get(key);
      if (owner !== undefined)
        problems.push(
          problemAt(declared, path, key, `a route that no other app has; app "${owner.name}" of space "${owner.space}" has it`),
        );
      else if (twin !== undefined) {
        const { line, column } = twin.declared.place(twin.path);
        const wanted = `it once; it is declared at ${twin.declared.file}:${line}:${column} already, in space "${surroundings.space.name}"`;
        problems.push(problemAt(declared, path, key, wanted));
      } else seen.set(key, { declared, path });
    }
  }
  return problems;
}

function targetProblems(
  { declared, processes, isBuilt }: Draft,
  route: Draft["routes"][number],
  path: readonly string[],
  { context }: Surroundings,
): readonly FoundProblem[] {
  const problems: FoundProblem[] = [];
  const process = Object.hasOwn(processes, route.to) ? processes[route.to] : undefined;
  if (process === undefined && isBuilt) {
    const names = Object.keys(processes);
    const wanted = `a process of the app: ${names.join(", ")}`;
    problems.push(problemAt(declared, [...path, "to"], show(route.to), wanted, nearest(route.to, names)));
  } else if (process?.port === "none")
    problems.push(problemAt(declared, [...path, "to"], `${show(route.to)}, which has no port`, "a process with a port"));
  if (context.isEncrypted === true && "port" in route && route.protocol === "udp") {
    const wanted = "tcp, because traffic between machines is encrypted here (--encrypt) and datagrams cannot be";
    problems.push(problemAt(declared, [...path, "protocol"], '"udp"', wanted));
  }
  return problems;
}

/** Two processes cannot listen on one port of one machine; Drover's own ports are nobody's. Adds its warnings to the drafts. */
export function portProblems(drafts: readonly Draft[], surroundings: Surroundings): readonly FoundProblem[] {
  const owners = portOwners(surroundings);
  const problems: FoundProblem[] = [];
  const isTaken = (declared: DeclaredApp, path: readonly string[], port: number) => {
    const owner = owners.get(port);
    if (owner !== undefined) problems.push(problemAt(declared, path, String(port), `a port that is free; ${owner} has it`));
  };
  for (const { declared, routes } of drafts)
    for (const [index, route] of routes.entries())
      if ("port" in route && route.protocol !== "udp") isTaken(declared, ["routes", String(index), "port"], route.port);
  for (const { declared, processes, warnings } of drafts) {
    for (const [name, { port }] of Object.entries(processes)) {
      if (typeof port !== "number") continue;
      isTaken(declared, declared.manifest.port !== undefined && name === "web" ? ["port"] : ["processes", name, "port"], port);
      owners.set(port, `app "${declared.manifest.app}"`);
      const wanted = declaredProcesses(declared.manifest)[name as ProcessName]?.instances ?? 1;
      if (wanted > 1) warnings.push(`process "${name}" wants ${wanted} instances on the fixed port ${port}: one a machine can run`);
    }
  }
  return problems;
}

/** Who has which port, in words. */
function portOwners({ context, others }: Surroundings): Map<number, string> {
  const owners = new Map<number, string>();
  for (const port of context.reservedPorts) owners.set(port, "Drover itself");
  for (const app of others) {
    if (isBeingDestroyed(app)) continue;
    for (const route of app.routes)
      if ("port" in route && route.protocol === "tcp") owners.set(route.port, `a route of app "${app.name}" in space "${app.space}"`);
    for (const port of Object.values(app.servicePorts))
      owners.set(port, `the service address of app "${app.name}" in space "${app.space}"`);
    for (const process of Object.values(targetSpec(context.store, app)?.processes ?? {}))
      if (typeof process.port === "number") owners.set(process.port, `app "${app.name}" of space "${app.space}"`);
  }
  return owners;
}

/** @throws {DroverError} SECRET_MISSING, with every one in the details */
export function requireSecrets(declared: readonly DeclaredApp[], { context, space }: Surroundings): void {
  const missing = declared.flatMap(({ manifest, file, place }) =>
    manifest.secrets.flatMap((name, i) =>
      context.secrets.latest(space.name, name) === null
        ? [{ app: manifest.app, secret: name, file, ...place(["secrets", String(i)]) }]
        : [],
    ),
  );
  const [first] = missing;
  if (first === undefined) return;
  throw new DroverError(
    "SECRET_MISSING",
    `app "${first.app}" names the secret ${first.secret}, which space "${space.name}" does not have`,
    {
      hint: `Set it with \`drover secret set ${first.secret} --space ${space.name}\`, then apply again.`,
      details: { missing },
    },
  );
}
