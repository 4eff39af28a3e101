import { z } from "zod";
import { type BuildOptions, type BuildProgress, buildLimits } from "#model/build.ts";
import { appName, digest, spaceName } from "#model/name-schemas.ts";
import { parseDurationMs, parseSizeBytes } from "#model/quantities.ts";
import { recordArtifact } from "../../operations/artifacts.ts";
import { flag, wholeNumber } from "../query.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

/** Longest build and most memory that may be asked for: beyond, a slip of a digit would hold a machine for days. */
const longestBuildMs = parseDurationMs("6h") ?? 0;
const mostMemoryBytes = parseSizeBytes("1TiB") ?? 0;

const query = {
  space: spaceName,
  app: appName,
  run: z.string().min(1).max(16_384).optional().meta({ description: "Command in place of what Drover would find." }),
  timeoutMs: wholeNumber(longestBuildMs).default(600_000),
  memoryBytes: wholeNumber(mostMemoryBytes).default(2 * 2 ** 30),
  hasRun: flag.default(false).meta({ description: "The manifest itself says what to run, so that a source that does not is fine." }),
};

const buildQuery = z.strictObject(query);
const knownQuery = z.strictObject({ ...query, archive: digest.meta({ description: "SHA-256 of the bytes that would be sent." }) });

const knownBuild = z
  .object({
    result: z
      .object({
        artifact: digest,
        sizeBytes: z.int(),
        files: z.int(),
        kind: z.string(),
        processes: z.record(z.string(), z.string()),
        cached: z.boolean(),
      })
      .nullable()
      .meta({ description: "null: not known, so the archive has to be sent." }),
  })
  .meta({ id: "KnownBuild", description: "What an archive became when it was built so before." });

const progress = z
  .object({ kind: z.enum(["step", "output", "done", "failed"]) })
  .loose()
  .meta({
    id: "BuildProgress",
    description: "`step` and `output` on the way; the last is `done` with the result or `failed` with an error.",
  });

export function buildRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/v1/builds",
      id: "build",
      summary: "Builds a source, sent as tar or tar.gz, into an artifact; answers with its progress.",
      access: { right: "deploy", of: ({ space }) => space },
      query: buildQuery,
      body: { kind: "stream", maxBytes: buildLimits.sourceBytes },
      answer: { kind: "lines", schema: progress },
      handle: async ({ signal }, asked, source) => ({
        lines: recorded(services, services.controlPlane.build(optionsOf(asked), source, signal)),
      }),
    }),
    route({
      method: "POST",
      path: "/v1/builds/known",
      id: "knownBuild",
      summary: "What an archive became when it was built so before, so that it need not be sent again.",
      access: { right: "deploy", of: ({ space }) => space },
      query: knownQuery,
      body: { kind: "none" },
      answer: { kind: "json", schema: knownBuild },
      handle: async ({ signal }, { archive, ...asked }) => {
        const result = await services.controlPlane.knownBuild(optionsOf(asked), archive, signal);
        if (result !== null) await recordArtifact(services.store, result, services.clock.nowMs());
        return { json: { result } };
      },
    }),
  ];
}

function optionsOf({ space, app, run, timeoutMs, memoryBytes, hasRun }: z.infer<typeof buildQuery>): BuildOptions {
  return { space, app, run: run ?? null, timeoutMs: Math.max(1, timeoutMs), memoryBytes: Math.max(1, memoryBytes), hasRun };
}

/** What the build found is in the store before its `done` is told: whoever has the digest can make a release of it. */
async function* recorded({ store, clock }: Services, steps: AsyncIterable<BuildProgress>): AsyncGenerator<BuildProgress> {
  for await (const step of steps) {
    if (step.kind === "done") await recordArtifact(store, step.result, clock.nowMs());
    yield step;
  }
}
