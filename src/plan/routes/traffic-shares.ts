import type { App, Rollout } from "#model/app.ts";

export interface ShareInput {
  readonly app: App;
  readonly rollout: Rollout | null;
  /** Wanted instances of the process. */
  readonly wanted: number;
  /** Ready instances of the process, by release. */
  readonly ready: ReadonlyMap<number, number>;
}

/** Weights are thousandths, so that they are whole numbers. */
const whole = 1_000;

/** Which releases take traffic for a process, and how much relative to each other. Only releases with ready instances are in it. */
export function planShares(input: ShareInput): ReadonlyMap<number, number> {
  const { app, ready, wanted } = input;
  const byInstances = new Map([...ready].filter(([, count]) => count > 0).sort(([a], [b]) => a - b));
  const only = (release: number) => new Map([[release, whole]]);
  const { target, active, deploy } = app;
  const has = (release: number | null): release is number => release !== null && byInstances.has(release);

  if (deploy.strategy === "rolling" || active === null || target === null) {
    // Once the target has all that is wanted, the others are only there to finish what they have.
    return has(target) && (ready.get(target) ?? 0) >= wanted ? only(target) : byInstances;
  }
  if (target === active) return has(active) ? only(active) : byInstances;
  const share = shareOfTarget(input);
  // Releases in between help out only while the active one is not whole.
  const isWhole = (ready.get(active) ?? 0) >= wanted;
  const base = isWhole && has(active) ? only(active) : new Map([...byInstances].filter(([release]) => release !== target));
  // An app without its active release is better served by whatever is ready than by nobody.
  if (base.size === 0) return byInstances;
  if (share === 0 || !has(target)) return base;
  const total = [...base.values()].reduce((sum, weight) => sum + weight, 0);
  const shares = [...base].map(([release, weight]) => [release, Math.round(((1 - share) * whole * weight) / total)] as const);
  return new Map([...shares, [target, Math.round(share * whole)] as const].sort(([a], [b]) => a - b));
}

/** The share of traffic that the target takes beside the active release, 0 to 1. */
export function shareOfTarget({ app, rollout }: Pick<ShareInput, "app" | "rollout">): number {
  if (app.target === null) return 0;
  if (app.target === app.active || app.active === null) return 1;
  if (app.deploy.strategy !== "canary" || rollout === null || rollout.release !== app.target) return 0;
  const reached = rollout.stepReadyAtMs === null ? rollout.step - 1 : rollout.step;
  const { steps } = app.deploy;
  return reached < 0 ? 0 : (steps[Math.min(reached, steps.length - 1)] ?? 0);
}
