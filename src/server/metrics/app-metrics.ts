import type { InstanceView } from "#model/api.ts";
import type { AppMetric, AppSample, MetricsAnswer, MetricsQuestion, MetricsQuestions } from "#model/app-metrics.ts";
import type { Clock } from "#model/clock.ts";
import type { AppName, InstanceId, ProcessName, SpaceName } from "#model/names.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import { askPeers } from "../view/peer-answers.ts";

/** What one instance told of itself, or why it did not. */
export interface ToldMetrics {
  readonly instance: Pick<InstanceView, "id" | "space" | "app" | "process" | "release" | "machine">;
  readonly metrics: readonly AppMetric[];
  readonly why: string | null;
  /** Whether it is asked, and has to answer; else it sends what it wants to. */
  readonly isAsked: boolean;
  /** As in its answer; null: it sends none by statsd. */
  readonly statsdLeftOut: number | null;
}

/** Instances that are asked at one moment; more than the series of all apps together would allow for. */
const mostAsked = 2_000;
/** Names of Drover's own: no app tells those. */
const ownNames = /^drover_/;

/** Asks every running instance whose manifest says that it tells figures. Each agent has a second for it. */
export async function askAppMetrics(
  {
    store,
    fleet,
    clock,
    instances,
  }: {
    readonly store: Store;
    readonly fleet: Pick<Fleet, "agentOf">;
    readonly clock: Clock;
    readonly instances: (space: SpaceName, app: AppName) => readonly InstanceView[];
  },
  signal: AbortSignal,
): Promise<readonly ToldMetrics[]> {
  const byAgent = new Map<AgentPeer, { readonly questions: MetricsQuestion[]; readonly statsd: InstanceId[] }>();
  const asked = new Map<InstanceId, { readonly instance: InstanceView; readonly isAsked: boolean }>();
  for (const { value: app } of objects.apps(store)) {
    if (app.metrics === undefined && app.statsd === undefined) continue;
    for (const view of instances(app.space, app.name)) {
      const process = view.process as ProcessName;
      const place = app.metrics !== undefined && Object.hasOwn(app.metrics, process) ? app.metrics[process] : undefined;
      const sends = app.statsd?.includes(process) === true;
      const instance = view.id as InstanceId;
      const agent = (place === undefined && !sends) || view.state !== "running" ? null : fleet.agentOf(instance);
      if (agent === null || asked.size === mostAsked) continue;
      asked.set(instance, { instance: view, isAsked: place !== undefined });
      const known = byAgent.get(agent) ?? { questions: [], statsd: [] };
      byAgent.set(agent, known);
      if (place !== undefined) known.questions.push({ instance, ...place });
      if (sends) known.statsd.push(instance);
    }
  }
  const none: MetricsQuestions = { questions: [], statsd: [] };
  const answers = await askPeers([...byAgent.keys()], (agent, until) => agent.metrics(byAgent.get(agent) ?? none, until), clock, signal);
  return answers.flatMap((one): readonly ToldMetrics[] => {
    const { questions, statsd } = byAgent.get(one.peer) ?? none;
    const answered = "answer" in one ? one.answer : null;
    const told = ({ instance, metrics, why, statsdLeftOut }: MetricsAnswer): readonly ToldMetrics[] => {
      const known = asked.get(instance);
      return known === undefined ? [] : [{ ...known, metrics: metrics.filter(isTheirs), why, statsdLeftOut: statsdLeftOut ?? null }];
    };
    if (answered !== null) return answered.flatMap(told);
    const why = "why" in one ? one.why : "its agent is too old to ask";
    const all = new Set([...questions.map(({ instance }) => instance), ...statsd]);
    return [...all].flatMap((instance) => told({ instance, metrics: [], why }));
  });
}

function isTheirs({ name, samples }: AppMetric): boolean {
  return !ownNames.test(name) && samples.every(([sample]) => !ownNames.test(sample));
}

/** Labels that say whose a figure is. What the app itself calls so is told under another name, as Prometheus does it. */
export function ownedLabels(labels: AppSample[1], own: Readonly<Record<string, string>>): Record<string, string> {
  const owned: Record<string, string> = { ...own };
  for (const [label, value] of Object.entries(labels)) owned[Object.hasOwn(own, label) ? `exported_${label}` : label] = value;
  return owned;
}
