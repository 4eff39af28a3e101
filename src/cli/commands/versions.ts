import type { AppVersions, InstanceVersion, VersionsView } from "#model/api-versions.ts";
import { shortInstanceId } from "#model/names.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import type { Output } from "../output/output.ts";
import { escapeText, styled } from "../output/style.ts";
import { table } from "../output/table.ts";

/** What marks a row whose version is another than it should be, besides its colour. */
const mark = "≠";

export default {
  configure: (command) =>
    command.argument("[app]", "only this app, instance by instance").option("--no-ask", "do not ask instances what they say of themselves"),
  async run({ api, out, common, signal }, { args, options }) {
    const about = args[0] === undefined ? { space: common.space ?? undefined } : appReference(args[0], common.space);
    const path = apiPath(["versions"], { ...about, ...(options.ask === false ? { ask: "false" } : {}) });
    const versions = await api.call<VersionsView>("GET", path, signal);
    if (out.json) {
      out.value(versions);
      return 0;
    }
    if (args[0] === undefined) showAll(versions, out);
    else for (const app of versions.apps) showApp(app, out);
    for (const { machine, why } of versions.silent) out.note(`instances on ${machine} were not asked: ${why}`);
    return 0;
  },
} satisfies Verb<{ ask?: boolean }>;

function showAll({ apps, programs }: VersionsView, out: Output): void {
  if (apps.length === 0) out.note("there are no apps");
  else
    for (const line of table(
      ["", "APP", "WANTED", "RUNNING", "SAYS", "DIFFERS"],
      apps.map((app) => [
        app.differences.length === 0 ? " " : mark,
        `${app.space}/${app.app}`,
        app.wanted === null ? "-" : String(app.wanted.release),
        counted(app.instances.map(({ release }) => String(release))),
        counted(app.instances.map(saidBy)),
        app.differences.map(({ message }) => message).join("; "),
      ]),
      out.columns,
    ))
      out.line(line);
  if (programs.length === 0) return;
  out.line("");
  const rows = programs.map(({ machine, program, version, node, differs }) => [
    differs ? mark : " ",
    machine,
    program,
    version ?? "?",
    node ?? "?",
  ]);
  for (const line of table(["", "MACHINE", "PROGRAM", "VERSION", "NODE"], rows, out.columns)) out.line(line);
}

function showApp({ space, app, wanted, active, routes, instances, differences }: AppVersions, out: Output): void {
  out.line(
    wanted === null
      ? `${styled("bold", `${space}/${app}`)} has no release yet`
      : `${styled("bold", `${space}/${app}`)}: release ${wanted.release} is wanted (${escapeText(wanted.cause)})${active === wanted.release ? "" : `; ${active === null ? "none" : `release ${active}`} was the last that was ready`}`,
  );
  const behind = new Set(differences.flatMap((one) => one.instances));
  if (instances.length > 0)
    for (const line of table(
      ["", "INSTANCE", "MACHINE", "RELEASE", "STATE", "SAYS"],
      instances.map((one) => [
        behind.has(one.id) ? mark : " ",
        shortInstanceId(one.id as never),
        one.machine,
        String(one.release),
        one.ready ? "ready" : one.state,
        saidBy(one),
      ]),
      out.columns,
    ))
      out.line(line);
  if (routes.length > 0) {
    out.line("");
    const rows = routes.map(({ place, process, targets }) => [
      targets.some(({ release, share }) => share > 0 && release !== wanted?.release) ? mark : " ",
      place,
      process,
      targets.length === 0 ? "-" : targets.map(({ release, share }) => `${release} (${Math.round(share * 100)}%)`).join(", "),
    ]);
    for (const line of table(["", "ROUTE", "PROCESS", "RELEASES"], rows, out.columns)) out.line(line);
  }
  for (const { message, code } of differences) out.line(`${mark} ${escapeText(message)}   [${code}]`);
}

function saidBy({ said, why }: InstanceVersion): string {
  if (said === null) return why === null ? "-" : `(${why})`;
  const words = [said.version, said.commit === null ? null : said.commit.slice(0, 12)].filter((text) => text !== null);
  return words.length === 0 ? "-" : words.join(" ");
}

/** "3 (4), 2 (1)": what there is, and how many of each where there is more than one kind. */
function counted(values: readonly string[]): string {
  const groups = [...Map.groupBy(values, (value) => value)].map(([value, all]) => [value, all.length] as const);
  if (groups.length === 0) return "-";
  return groups.length === 1 ? (groups[0]?.[0] ?? "-") : groups.map(([value, count]) => `${value} (${count})`).join(", ");
}
