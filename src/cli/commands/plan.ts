import type { Plan } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import type { Verb } from "../command.ts";
import { applyRequest } from "../deploy.ts";
import { readDocuments, readVariables } from "../documents.ts";
import { describePlan } from "../output/plan-lines.ts";

interface Options {
  readonly envFile?: string;
  readonly prune?: boolean;
  readonly exitCode?: boolean;
}

/** With --exit-code: something would change. */
const pendingExit = 3;

export default {
  configure: (command) =>
    command
      .argument("<paths...>", 'manifests: files, folders with *.yaml, or "-"')
      .option("--env-file <file>", "values of ${NAME} in the manifests, as lines NAME=value")
      .option("--prune", "also show what apply --prune would destroy")
      .option("--exit-code", `exit with ${pendingExit} if something would change`),
  async run(session, { args, options }) {
    const { api, out, signal } = session;
    const [documents, variables] = await Promise.all([readDocuments(session, args), readVariables(options.envFile)]);
    const body = applyRequest(session, { documents, variables, prune: options.prune === true, force: false, cause: "apply" });
    const plan = await api.call<Plan>("POST", apiPath(["plan"]), signal, { body });
    if (out.json) out.value(plan);
    else for (const line of describePlan(plan)) out.line(line);
    return options.exitCode === true && plan.changes.some((change) => change.action !== "none") ? pendingExit : 0;
  },
} satisfies Verb<Options>;
