import { z } from "zod";
import type { LinkRoutes } from "#link/serve.ts";
import type { BuildOptions } from "#model/build.ts";
import { DroverError } from "#model/errors.ts";
import { isDigest, namePattern } from "#model/names.ts";
import type { Builder } from "./builder.ts";

const buildOptions = z.strictObject({
  // What it prints is kept below folders of these names.
  space: z.string().regex(namePattern),
  app: z.string().regex(namePattern),
  run: z.string().max(16_384).nullable(),
  hasRun: z.boolean().optional(),
  timeoutMs: z.int().positive(),
  memoryBytes: z.int().positive(),
}) satisfies z.ZodType<BuildOptions>;

/** What the agent serves about builds; the table is in `model/link.ts`. */
export function buildRoutes(builder: Builder): LinkRoutes {
  return {
    "POST /builds/known": async (call) => {
      const archive = call.query.get("archive") ?? "";
      if (!isDigest(archive)) throw new DroverError("REQUEST_INVALID", `${JSON.stringify(archive)} is no digest`);
      return { result: await builder.known(readOptions(call.query.get("options")), archive, call.signal) };
    },
    "POST /builds": async (call) => {
      const options = readOptions(call.query.get("options"));
      try {
        await call.lines(builder.build(options, call.stream, call.signal));
      } finally {
        // What was not read still has to arrive somewhere, or the sender never gets to the end of its source.
        call.stream.resume();
      }
      return undefined;
    },
  };
}

function readOptions(text: string | null): BuildOptions {
  try {
    return buildOptions.parse(JSON.parse(text ?? ""));
  } catch (error) {
    throw new DroverError("REQUEST_INVALID", "the options of the build do not fit", { cause: error });
  }
}
