import type { StatusView } from "#model/api.ts";
import { apiPath } from "../api/client.ts";
import type { Verb } from "../command.ts";
import { escapeText, styled } from "../output/style.ts";
import { age, count } from "../output/time.ts";

/** Exit code for "something that should work does not", so that scripts can ask. */
const unhealthyExit = 4;

function edgesOf({ edges }: StatusView): string {
  if (!edges.some((edge) => edge.linked)) return styled("yellow", "  not linked");
  if (edges.every((edge) => edge.public !== false)) return "";
  const open = edges.filter((edge) => edge.public === true).map(({ machine }) => machine);
  return open.length === 0 ? styled("yellow", "  on no machine") : `  on ${open.join(", ")}`;
}

export default {
  configure: (command) => command.addHelpText("after", "\nExits with 4 when there are problems."),
  async run(session) {
    const { api, out, clock, signal } = session;
    const status = await api.call<StatusView>("GET", apiPath(["status"]), signal);
    const exit = status.problems.length === 0 ? 0 : unhealthyExit;
    if (out.json) {
      out.value(status);
      return exit;
    }
    const apps = Object.entries(status.apps).filter(([, number]) => number > 0);
    const total = apps.reduce((sum, [, number]) => sum + number, 0);
    out.line(
      `Drover ${status.version.version}, server up for ${age(status.startedAtMs, clock.nowMs())}, revision ${status.version.revision}`,
    );
    out.line(`api       ${status.addresses.api}`);
    out.line(`edge      ${status.addresses.edge}${edgesOf(status)}`);
    out.line(`          ${status.addresses.edgeTls}`);
    out.line(`dns       ${status.addresses.dns === null ? "off" : `${status.addresses.dns}, for <app>.<space>.drover`}`);
    for (const machine of status.machines) {
      const missing = Object.entries(machine.isolation).filter(([, rule]) => !rule.holds);
      const isolation = missing.length === 0 ? "" : `, without isolation of ${missing.map(([name]) => name).join(", ")}`;
      const linked = machine.linked ? "" : styled("yellow", ", its agent does not answer");
      out.line(`machine   ${machine.id}: ${count(machine.cores, "core")}, ${count(machine.instances, "instance")}${isolation}${linked}`);
    }
    out.line(`apps      ${total === 0 ? "none" : `${total}: ${apps.map(([health, number]) => `${number} ${health}`).join(", ")}`}`);
    for (const problem of status.problems) out.line(`${styled("red", "problem")}   ${escapeText(problem.message)}   [${problem.code}]`);
    return exit;
  },
} satisfies Verb;
