import type { HealthHistory, HealthPeriod } from "#model/api-history.ts";
import { DroverError } from "#model/errors.ts";
import { took } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { appReference, durationMs } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { escapeText, type Style, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";

interface Options {
  readonly machine?: string;
  readonly since?: string;
}

const defaultSince = "1d";

const colours: Readonly<Record<HealthPeriod["state"], Style>> = {
  well: "green",
  degraded: "yellow",
  failing: "red",
  idle: "dim",
  unknown: "dim",
};

export default {
  configure: (command) =>
    command
      .argument("[app]", "the app")
      .option("--machine <name>", "of a machine in place of an app: when it answered")
      .option("--since <duration>", `of the last 2h, say (default ${defaultSince})`),
  async run({ api, out, clock, common, signal }, { args: [app], options }) {
    const { machine, since = defaultSince } = options;
    if ((app === undefined) === (machine === undefined))
      throw new DroverError("USAGE", "the health of one app or of one machine is shown", {
        hint: 'Name an app, such as "drover health shop", or give --machine.',
      });
    const query = { sinceMs: clock.nowMs() - durationMs(since, "--since") };
    const of = app === undefined ? null : appReference(app, common.space);
    const parts = of === null ? ["machines", machine ?? "", "health"] : ["spaces", of.space, "apps", of.app, "health"];
    const history = await api.call<HealthHistory>("GET", apiPath(parts, query), signal);
    if (out.json) {
      out.value(history);
      return 0;
    }
    const name = of === null ? (machine ?? "") : `${of.space}/${of.app}`;
    out.line(
      history.wellShare === null
        ? `${name} was not to run in the last ${since}, or nothing is known of it`
        : `${name} was well ${cutPercent(history.wellShare)} of what is known of the last ${since}`,
    );
    const rows = history.periods.map(({ state, startMs, endMs, code, message }) => [
      dateTime(startMs),
      styled(colours[state], state),
      took(endMs - startMs),
      code ?? "",
      state === "unknown" ? "" : escapeText(message ?? ""),
    ]);
    for (const line of table(["FROM", "STATE", "FOR", "CODE", "WHAT"], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb<Options>;

/** Cut, not rounded: 100 % is said of what was well all the time alone. */
function cutPercent(share: number): string {
  return `${Math.floor(share * 10_000) / 100} %`;
}
