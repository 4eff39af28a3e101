import type { AppStatus, AppSummary } from "#model/api.ts";
import { type Style, styled } from "./style.ts";

const healthStyles: Readonly<Record<AppSummary["health"], Style>> = {
  ready: "green",
  deploying: "cyan",
  starting: "cyan",
  degraded: "yellow",
  down: "red",
  stopped: "dim",
  destroying: "dim",
};

export function healthWord(health: AppSummary["health"]): string {
  return styled(healthStyles[health] ?? "bold", health);
}

/** One app on its way, a line for it and one for each of its processes. */
export function describeApp(app: AppStatus): string[] {
  return [
    `${app.space}/${app.name}  ${healthWord(app.health)}${releaseWords(app)}`,
    ...app.processes.map(({ name, ready, wanted, running }) =>
      wanted === 0 ? `  ${name}  ${running} still running` : `  ${name}  ${ready} of ${wanted} ready, ${running} running`,
    ),
    ...waitsFor(app)
      .filter((reason) => !/^[a-z0-9-]+: \d+ of \d+ ready$/.test(reason))
      .map((reason) => `  waits for ${reason}`),
  ];
}

export function describeSummary(app: AppSummary): string {
  const [reason] = waitsFor(app);
  const state = `${app.space}/${app.name}  ${healthWord(app.health)}${releaseWords(app)}`;
  if (app.wanted === 0) return `${state}, ${app.running} still running`;
  return reason === undefined ? `${state}, ${app.ready} of ${app.wanted} ready` : `${state}, waits for ${reason}`;
}

function releaseWords(app: Pick<AppSummary, "rollout" | "target">): string {
  if (app.rollout === null) return app.target === null ? "" : `, release ${app.target}`;
  const { release, weight } = app.rollout;
  return `, release ${release}${weight > 0 && weight < 1 ? ` with ${Math.round(weight * 100)}% of traffic` : ""}`;
}

function waitsFor(app: Pick<AppSummary, "rollout">): readonly string[] {
  return app.rollout?.waitingFor ?? [];
}
