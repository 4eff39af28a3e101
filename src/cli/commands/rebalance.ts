import type { RebalanceView, RebalancingView } from "#model/api-rebalance.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Verb } from "../command.ts";
import { escapeText } from "../output/style.ts";
import { table } from "../output/table.ts";
import { count } from "../output/time.ts";
import { confirm } from "../prompt.ts";
import { until } from "../wait/until.ts";

/** An app may take a minute to start and to stop, and they go one after another. */
const usualTimeoutMs = 30 * 60_000;

interface Options {
  readonly stop?: true;
}

export default {
  configure: (command) =>
    command
      .argument("[app]", "the app (default: all of them)")
      .option("--stop", "move no more; what has moved stays")
      .addHelpText(
        "after",
        `
Shows what would move and why, asks, and moves one instance after another: each is replaced elsewhere first, then leaves the routes,
finishes what it has, and stops. It stops by itself when an instance does not stay up or a check of the app fails.`,
      ),
  async run(session, { args: [named], options }) {
    const { api, out, progress, common, signal } = session;
    const path = apiPath(["rebalance"]);
    if ((options as Options).stop) {
      const { last } = await api.call<RebalanceView>("DELETE", path, signal);
      if (out.json) out.value({ last });
      else out.line(last === null ? "nothing was being moved" : `stopped: ${last.moved} of ${count(last.total, "instance")} moved`);
      return 0;
    }
    const { space, app } = named === undefined ? { space: null, app: null } : appReference(named, common.space);
    const which = space === null ? null : `${space}/${app}`;
    const { plan } = await api.call<RebalanceView>("GET", which === null ? path : `${path}?app=${encodeURIComponent(which)}`, signal);
    if (!out.json) show(plan);
    if (plan.moves.length === 0) {
      if (out.json) out.value({ ...plan, last: null });
      else out.line("machines have alike: nothing would move");
      return 0;
    }
    await confirm(session, `this moves ${count(plan.moves.length, "instance")}`, null);
    const begun = await api.call<RebalancingView>("POST", path, signal, { body: { app: which } });
    if (common.detach) {
      if (out.json) out.value({ ...begun, last: null });
      else out.line(`moving ${count(begun.moves.length, "instance")}; it goes on by itself`);
      return 0;
    }
    let moved = 0;
    const late = () => ({ message: `${moved} of ${count(begun.moves.length, "instance")} had moved`, details: { moved } });
    const last = await until(session, { timeoutMs: common.timeoutMs ?? usualTimeoutMs, late }, async (asked) => {
      const view = await api.call<RebalanceView>("GET", path, asked);
      moved = view.last?.moved ?? moved;
      progress.show([`${moved} of ${count(begun.moves.length, "instance")} moved`]);
      // A server that was restored knows of none.
      return view.last === null
        ? { state: "stopped" as const, total: begun.moves.length, moved, reason: "the server was restored from a backup" }
        : view.last.state === "running"
          ? null
          : view.last;
    });
    progress.clear();
    if (last.state === "stopped")
      throw new DroverError("CONFLICT", `${last.moved} of ${count(last.total, "instance")} moved, then it was stopped: ${last.reason}`, {
        hint: "What has moved stays. Mend what is named, then run it again.",
      });
    if (out.json) out.value({ ...begun, last });
    else out.line(`moved ${count(last.moved, "instance")}`);
    return 0;

    function show({ moves, left }: RebalancingView): void {
      const rows = moves.map((move) => [`${move.space}/${move.app}`, move.process, move.from, move.to, move.reason]);
      if (rows.length > 0) for (const line of table(["APP", "PROCESS", "FROM", "TO", "WHY"], rows, out.columns)) out.line(line);
      for (const one of left) out.note(escapeText(`${one.space}/${one.app} stays: ${one.reason}`));
    }
  },
} satisfies Verb;
