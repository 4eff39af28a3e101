import { z } from "zod";
import { instance } from "./api.ts";

/** The part of the HTTP API that is about what runs in which version. */

export const saidInfo = z
  .object({
    version: z.string().nullable(),
    commit: z.string().nullable(),
    more: z.record(z.string(), z.string()).meta({ description: "What else it says in plain values." }),
  })
  .meta({ id: "SaidInfo", description: "An instance's own word: text from outside, cut and otherwise as it is." });

export const instanceVersion = instance
  .pick({ id: true, process: true, release: true, machine: true, state: true, ready: true })
  .extend({
    said: saidInfo.nullable().meta({ description: "null: it says nothing, or was not asked." }),
    why: z.string().nullable().meta({ description: "Why it said nothing although it was asked; null where it simply has no such page." }),
  })
  .meta({ id: "InstanceVersion" });

export const versionDifference = z
  .object({
    code: z.enum(["RELEASE_BEHIND", "ROUTE_BEHIND", "SAYS_DIFFERENTLY", "SAYS_OTHER_RELEASE"]).meta({
      description:
        "RELEASE_BEHIND: an instance runs another release than the wanted one; ROUTE_BEHIND: a route leads to another one; SAYS_DIFFERENTLY: instances of one release and process say different versions; SAYS_OTHER_RELEASE: an instance says a release number that is not its own.",
    }),
    message: z.string(),
    instances: z.array(z.string()),
  })
  .meta({ id: "VersionDifference" });

export const appVersions = z
  .object({
    space: z.string(),
    app: z.string(),
    wanted: z
      .object({ release: z.int(), cause: z.string(), createdAtMs: z.number(), artifact: z.string().nullable() })
      .nullable()
      .meta({ description: "The release that is wanted; null before the first." }),
    active: z.int().nullable().meta({ description: "The release that last was fully ready." }),
    routes: z.array(
      z.object({
        place: z.string(),
        url: z.string().nullable(),
        process: z.string(),
        targets: z.array(z.object({ release: z.int(), share: z.number(), instances: z.int() })),
      }),
    ),
    instances: z.array(instanceVersion),
    differences: z
      .array(versionDifference)
      .meta({ description: "Between what is wanted, what runs and what it says of itself; empty when all agree." }),
  })
  .meta({ id: "AppVersions" });

export const programVersion = z
  .object({
    machine: z.string(),
    program: z.enum(["server", "agent", "edge"]),
    version: z.string().nullable().meta({ description: "null: it is too old to say, or does not answer." }),
    node: z.string().nullable().meta({ description: "Of the Node that runs it." }),
    differs: z.boolean().meta({ description: "It is another version than the server." }),
  })
  .meta({ id: "ProgramVersion" });

export const versionsView = z
  .object({
    apps: z.array(appVersions),
    programs: z.array(programVersion).meta({ description: "Drover's own, on every machine." }),
    silent: z
      .array(z.object({ machine: z.string(), why: z.string() }))
      .meta({ description: "Machines whose instances could not be asked." }),
  })
  .meta({ id: "Versions" });

export type InstanceVersion = z.output<typeof instanceVersion>;
export type VersionDifference = z.output<typeof versionDifference>;
export type AppVersions = z.output<typeof appVersions>;
export type ProgramVersionView = z.output<typeof programVersion>;
export type VersionsView = z.output<typeof versionsView>;
