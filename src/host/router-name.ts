import { DroverError } from "#model/errors.ts";
import type { GivenOptions } from "./program-options.ts";

/** What carries the edge's traffic. */
export type RouterName = "embedded" | "haproxy";

/** Options of the embedded router, and what becomes of who relied on them. */
const embeddedAlone: Readonly<Record<string, string>> = {
  "--trusted-proxy": "Leave out --trusted-proxy, so that the proxy in front counts as the client, or take --router embedded.",
  "--workers": "Leave out --workers, since HAProxy is one process for all cores, or take --router embedded.",
};

/** Reads `--router`. An option that the router knows nothing of is refused rather than ignored. @throws {DroverError} USAGE. */
export function readRouter<Name extends string>(given: GivenOptions<Name | "--router">, others: readonly Name[]): RouterName {
  const router = given.one("--router") ?? "embedded";
  if (router !== "embedded" && router !== "haproxy")
    throw new DroverError("USAGE", `"${router}" is no router`, { hint: "Use --router embedded or --router haproxy." });
  if (router === "embedded") return router;
  for (const name of others) {
    const hint = embeddedAlone[name];
    if (hint !== undefined && given.has(name)) throw new DroverError("USAGE", `the router HAProxy knows no ${name}`, { hint });
  }
  return router;
}
