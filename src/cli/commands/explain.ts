import type { Explanation } from "#model/api-escalations.ts";
import { apiPath } from "../api/client.ts";
import { appReference, defaultSpace } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { escapeText, styled } from "../output/style.ts";

export default {
  configure: (command) =>
    command.argument("[app]", "only checks of this app").option("--check <check>", "only this one, as NAME or NAME@TARGET"),
  async run(session, { args, options }) {
    const { api, out, signal, common } = session;
    const { space, app } =
      args[0] === undefined ? { space: common.space ?? defaultSpace, app: undefined } : appReference(args[0], common.space);
    const path = apiPath(["spaces", space, "explain"], { app, check: options.check });
    const { explanations } = await api.call<{ explanations: Explanation[] }>("GET", path, signal);
    if (out.json) {
      out.value({ explanations });
      return 0;
    }
    if (explanations.length === 0) out.note("no check looks at it");
    for (const { check, verdict, lines } of explanations) {
      out.line(`${styled("bold", escapeText(check))} is ${verdict}. If it failed now:`);
      for (const line of lines) out.line(`  ${escapeText(line)}`);
    }
    return 0;
  },
} satisfies Verb<{ check?: string }>;
