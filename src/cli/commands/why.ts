import type { AppStatus } from "#model/api.ts";
import { conditions, isConditionCode } from "#model/conditions.ts";
import type { Reason } from "#model/workload.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { healthWord } from "../output/app-line.ts";
import { escapeText, styled } from "../output/style.ts";
import { dateTime } from "../output/time.ts";

export default {
  configure: (command) => command.argument("<app>", "the app"),
  async run(session, { args }) {
    const { api, out, signal } = session;
    const { space, app } = appReference(args[0], session.common.space);
    const path = ["spaces", space, "apps", app];
    const [{ reasons }, status] = await Promise.all([
      api.call<{ reasons: Reason[] }>("GET", apiPath([...path, "why"]), signal),
      api.call<AppStatus>("GET", apiPath(path), signal),
    ]);
    if (out.json) {
      out.value({ health: status.health, reasons, rollout: status.rollout, lastFailure: status.lastFailure });
      return 0;
    }
    for (const line of describe(status, reasons)) out.line(line);
    return 0;
  },
} satisfies Verb;

function describe(app: AppStatus, reasons: readonly Reason[]): string[] {
  const lines = [`${app.space}/${app.name} is ${healthWord(app.health)}`];
  // What failed is told below, with the moment and the last lines.
  const told = app.lastFailure === null ? reasons : reasons.filter(({ code }) => code !== "RELEASE_FAILED");
  for (const { code, message } of told) {
    lines.push(`  ${escapeText(message)}   [${code}]`);
    const known = isConditionCode(code) ? conditions[code] : null;
    if (known !== null && known.severity !== "info") lines.push(`    ${styled("dim", known.remedy)}`);
  }
  if (app.rollout !== null) {
    const waiting = app.rollout.waitingFor.length === 0 ? "" : `, waits for ${app.rollout.waitingFor.join(", ")}`;
    lines.push(`  release ${app.rollout.release} is on its way with ${Math.round(app.rollout.weight * 100)}% of traffic${waiting}`);
  }
  if (app.lastFailure !== null) {
    const { release, failure } = app.lastFailure;
    lines.push(
      `  release ${release} failed at ${dateTime(failure.atMs)}: ${failure.reason}   [${failure.code}]`,
      ...failure.lines.filter((line) => line.trim() !== "").map((line) => `    | ${line}`),
    );
  }
  return lines;
}
