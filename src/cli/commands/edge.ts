import type { StatusView } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import type { Noun, Verb } from "../command.ts";

const restart = {
  summary: "replace the edge by a new one, without a failed request",
  configure: (command) =>
    command
      .argument("[machine]", "whose edge; may be left out where there is one")
      .addHelpText("after", "\nThe old edge takes nothing new, and finishes what it has for up to five minutes, WebSockets among it."),
  async run({ api, out, signal }, { args: [named] }) {
    const machine = named ?? (await onlyEdge());
    const restarted = await api.call<{ machine: string }>("POST", apiPath(["edges", machine, "restart"]), signal);
    if (out.json) out.value(restarted);
    else out.line(`restarted the edge on ${restarted.machine}`);
    return 0;

    async function onlyEdge(): Promise<string> {
      const { edges } = await api.call<StatusView>("GET", apiPath(["status"]), signal);
      const linked = edges.filter((edge) => edge.linked).map((edge) => edge.machine);
      const [only, ...others] = linked;
      if (only === undefined)
        throw new DroverError("CLUSTER_UNREACHABLE", "no edge is linked", { hint: '"drover status" says what is wrong.' });
      if (others.length > 0)
        throw new DroverError("USAGE", `there are edges on ${linked.join(", ")}`, { hint: "Say which machine's is to be restarted." });
      return only;
    }
  },
} satisfies Verb & { summary: string };

export default { verbs: { restart } } satisfies Noun;
