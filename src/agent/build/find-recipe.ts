import { DroverError } from "#model/errors.ts";
import { findGo } from "./find-go.ts";
import { findNode } from "./find-node.ts";
import { findPython } from "./find-python.ts";
import { findStatic, staticServerPath } from "./find-static.ts";
import { parseProcfile } from "./procfile.ts";
import type { LaunchPaths, Step, Tool } from "./recipe.ts";
import type { Source } from "./source.ts";

/** Everything that is known about a build before anything runs. */
export interface FoundRecipe {
  /** Whether anything in the source says what it is. */
  readonly isKnown: boolean;
  readonly tools: readonly Tool[];
  readonly steps: readonly Step[];
  readonly launch: LaunchPaths;
  /** Called after the steps. @throws {DroverError} BUILD_SOURCE_UNKNOWN */
  readonly outcome: () => Promise<FoundOutcome>;
}

export interface FoundOutcome {
  readonly kind: string;
  readonly processes: Readonly<Record<string, string>>;
  readonly needsStaticServer: boolean;
}

/**
 * Finds out what a source is: the first of Node, Python, Go and static site that fits says how it is built, a Procfile says what runs, and a
 * command of the manifest takes the place of the steps.
 * @param hasRun whether the manifest itself says what to run, so that a source that does not is fine
 * @throws {DroverError} BUILD_FAILED
 */
export async function findRecipe(source: Source, command: string | null, hasRun: boolean): Promise<FoundRecipe> {
  const procfile = await source.text("Procfile");
  const declared = procfile === null ? null : parseProcfile(procfile);
  const language = (await findNode(source)) ?? (await findPython(source)) ?? (await findGo(source)) ?? (await findStatic(source));
  return {
    isKnown: declared !== null || language !== null,
    tools: command === null ? (language?.tools ?? []) : [],
    steps:
      command === null
        ? (language?.steps ?? [])
        : [{ message: "running the build command of the manifest", argv: ["/bin/sh", "-c", command] }],
    launch: language?.launch ?? {},
    outcome: async () => {
      // A build command may have made what was not there before it.
      const built = language ?? (await findStatic(source));
      const { release: _, ...processes } = declared ?? (await built?.processes()) ?? {};
      const needsStaticServer = Object.values(processes).some((run) => run.includes(staticServerPath));
      if (Object.keys(processes).length === 0 && !hasRun) throw unknown();
      const kinds = [
        ...(declared === null ? [] : ["procfile"]),
        ...(command === null ? [] : ["command"]),
        ...(built === null ? [] : [built.kind]),
        ...(needsStaticServer && built?.kind !== "static" ? ["static"] : []),
      ];
      return { kind: kinds.length === 0 ? "files" : kinds.join("+"), processes, needsStaticServer };
    },
  };
}

function unknown(): DroverError {
  return new DroverError(
    "BUILD_SOURCE_UNKNOWN",
    "the source holds nothing that Drover knows how to run: it looked for a Procfile, a package.json with a start script or a main file, " +
      "server.js or index.js, requirements.txt, pyproject.toml, app.py or main.py, a go.mod with a program, and an index.html",
    { hint: 'Add one of them, or say in the manifest what to run, such as "run: ./start.sh".' },
  );
}
