import type { Explanation } from "#model/api-escalations.ts";
import { conditions, describeCondition } from "#model/conditions.ts";
import { DroverError, errorCodes } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference, defaultSpace, nearest } from "../arguments.ts";
import type { Session, Verb } from "../command.ts";
import { requireKnownApp } from "../known-app.ts";
import { escapeText, styled } from "../output/style.ts";

export default {
  configure: (command) =>
    command
      .argument(
        "[app, check or code]",
        "only checks of this app; one check, as NAME@TARGET; or a code in capitals, such as NOT_LISTENING: what it means and what to do",
      )
      .option("--check <check>", "only this one, as NAME or NAME@TARGET"),
  async run(session, { args, options }) {
    const code = args[0];
    if (code !== undefined && /^[A-Z][A-Z0-9_]+$/.test(code)) return explainCode(session, code);
    const { api, out, signal, common } = session;
    // As `drover check ls` shows it; names of apps have no such sign.
    const check = options.check ?? (code?.includes("@") ? code : undefined);
    const { space, app } =
      code === undefined || code === check ? { space: common.space ?? defaultSpace, app: undefined } : appReference(code, common.space);
    const path = apiPath(["spaces", space, "explain"], { app, check });
    const { explanations } = await api.call<{ explanations: Explanation[] }>("GET", path, signal);
    if (explanations.length === 0) await requireKnownApp(session, space, app);
    if (out.json) {
      out.value({ explanations });
      return 0;
    }
    if (explanations.length === 0) out.note("no check looks at it");
    for (const { check, verdict, lines } of explanations) {
      out.line(`${styled("bold", escapeText(check))} is ${verdict}. If it failed now:`);
      for (const line of lines) out.line(`  ${escapeText(line)}`);
    }
    if (check !== undefined) out.note(`how it stands and when it was made: drover check show ${check} --space ${space}`);
    return 0;
  },
} satisfies Verb<{ check?: string }>;

/** Names of apps are in lower case, so a word in capitals is a code. */
function explainCode({ out }: Session, code: string): number {
  const found = describeCondition(code);
  if (found === null) {
    const close = nearest(code, [...Object.keys(conditions), ...Object.keys(errorCodes)], Math.ceil(code.length / 2));
    const meant = close === null ? "" : `Did you mean "${close}"? `;
    throw new DroverError("USAGE", `there is no condition "${code}"`, { hint: `${meant}docs/reference/conditions.md lists them.` });
  }
  if (out.json) out.value({ code, ...found });
  else {
    out.line(`${styled("bold", code)}: ${found.severity} of ${found.of}`);
    out.line(`  ${found.cause}`);
    out.line(`  ${found.remedy}`);
  }
  return 0;
}
