import type { LinkRoutes } from "#link/serve.ts";
import { type BuildOptions, buildOptions } from "#model/build.ts";
import { DroverError } from "#model/errors.ts";
import type { Builder } from "./builder.ts";

/** What the agent serves about builds; the table is in `model/link.ts`. */
export function buildRoutes(builder: Builder): LinkRoutes {
  return {
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
