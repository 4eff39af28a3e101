import type { Verb } from "../command.ts";
import { deploy } from "../deploy.ts";
import { readDocuments, readVariables } from "../documents.ts";

interface Options {
  readonly envFile?: string;
  readonly prune?: boolean;
  readonly force?: boolean;
}

export default {
  configure: (command) =>
    command
      .argument("<paths...>", 'manifests: files, folders with *.yaml, or "-"')
      .option("--env-file <file>", "values of ${NAME} in the manifests, as lines NAME=value")
      .option("--prune", "destroy apps of the space that no manifest declares")
      .option("--force", "make new releases even where nothing changed"),
  async run(session, { args, options }) {
    const [documents, variables] = await Promise.all([readDocuments(session, args), readVariables(options.envFile)]);
    return deploy(session, { documents, variables, prune: options.prune === true, force: options.force === true, cause: "apply" });
  },
} satisfies Verb<Options>;
