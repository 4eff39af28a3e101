import type { AppSummary, StatusView } from "#model/api.ts";
import type { RouteView } from "#model/api-routes.ts";
import type { UsageView } from "#model/api-usage.ts";
import { pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { durationMs } from "../arguments.ts";
import type { Session, Verb } from "../command.ts";
import { hasColour, printable } from "../output/output.ts";
import { drawOverview, isOrder, type OrderKey } from "../top/frame.ts";
import { compareLooks, type Look, type Overview } from "../top/overview.ts";
import { openScreen } from "../top/screen.ts";

interface Options {
  readonly every?: string;
  readonly sort?: string;
  readonly once?: boolean;
}

/** Each look asks every machine and every edge. */
const leastEveryMs = 500;
/** Between the two looks of `--once`: long enough for a figure that means something. */
const onceMs = 1_000;

export default {
  configure: (command) =>
    command
      .option("--every <duration>", "how often to look (default: 2s)")
      .option("--sort <key>", "order of apps: c processor, m memory, r requests, e errors, n name (default: c)")
      .option("--once", "look twice, a second apart, print what there is and end")
      .addHelpText(
        "after",
        "\nKeys: c m r e n order the apps, q leaves. A whole core is 100 %. Apps that are down or degraded come first.\nWhere there is no terminal, and with --json, it is as with --once.",
      ),
  async run(session, { options }) {
    const { every = "2s", sort = "c", once = false } = options;
    const everyMs = durationMs(every, "--every");
    if (everyMs < leastEveryMs)
      throw new DroverError("USAGE", `--every ${every} is too often`, { hint: "Each look asks every machine; take 500ms or more." });
    if (!isOrder(sort)) throw new DroverError("USAGE", `there is no order "${sort}"`, { hint: "Take one of c, m, r, e and n." });
    if (once || session.out.json || session.terminal.output.isTTY !== true) await printOnce(session, sort);
    else await follow(session, everyMs, sort);
    return 0;
  },
} satisfies Verb<Options>;

async function look({ api, common, clock, signal }: Session): Promise<Look> {
  const space = common.space ?? undefined;
  const [status, usage, { apps }, { routes }] = await Promise.all([
    api.call<StatusView>("GET", apiPath(["status"]), signal),
    api.call<UsageView>("GET", apiPath(["usage"]), signal),
    api.call<{ apps: AppSummary[] }>("GET", apiPath(["apps"], { space }), signal),
    api.call<{ routes: RouteView[] }>("GET", apiPath(["routes"], { space }), signal),
  ]);
  return { status, usage, apps, routes, atMs: clock.monotonicMs(), wallMs: clock.nowMs() };
}

async function printOnce(session: Session, order: OrderKey): Promise<void> {
  const { out, clock, signal } = session;
  const before = await look(session);
  await clock.sleep(onceMs, signal);
  const overview = compareLooks(before, await look(session));
  if (out.json) out.value(overview);
  else
    for (const line of drawOverview(overview, { order, columns: out.columns, rows: null, nowMs: clock.nowMs(), trouble: null }))
      out.line(line);
}

async function follow(session: Session, everyMs: number, first: OrderKey): Promise<void> {
  const { terminal, environment, clock, signal } = session;
  const left = new AbortController();
  const until = AbortSignal.any([signal, left.signal]);
  let order = first;
  let overview: Overview | null = null;
  /** Why nothing newer is known; the last figures stay. */
  let trouble: string | null = null;
  const isColoured = hasColour(terminal.output, environment);
  const draw = () => {
    if (overview === null) return;
    const { rows, columns } = screen;
    const lines = drawOverview(overview, { order, columns, rows, nowMs: before.wallMs, trouble });
    screen.draw(lines.map((line) => printable(line, isColoured, columns)));
  };
  const onKey = (key: string) => {
    // In raw mode Ctrl-C is a key like any other.
    if (key === "q" || key === "\x03") left.abort(new Error("left"));
    if (!isOrder(key)) return;
    order = key;
    draw();
  };
  let before = await look(session);
  using screen = openScreen(terminal, onKey, draw);
  overview = compareLooks(null, before);
  draw();
  // The first rates come soon; nobody wants to wait for them.
  await pause(clock, Math.min(everyMs, onceMs), until);
  while (!until.aborted) {
    try {
      const now = await look(session);
      overview = compareLooks(before, now);
      before = now;
      trouble = null;
    } catch (error) {
      if (!(error instanceof DroverError) || until.aborted) throw error;
      trouble = error.message;
    }
    draw();
    await pause(clock, everyMs, until);
  }
}
