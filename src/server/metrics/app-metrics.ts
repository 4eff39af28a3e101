import type { InstanceView } from "#model/api.ts";
import type { AppMetric, AppSample, MetricsQuestion } from "#model/app-metrics.ts";
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
  const byAgent = new Map<AgentPeer, MetricsQuestion[]>();
  const asked = new Map<string, InstanceView>();
  for (const { value: app } of objects.apps(store)) {
    if (app.metrics === undefined) continue;
    for (const view of instances(app.space, app.name)) {
      const place = Object.hasOwn(app.metrics, view.process) ? app.metrics[view.process as ProcessName] : undefined;
      const agent = place === undefined || view.state !== "running" ? null : fleet.agentOf(view.id as InstanceId);
      if (place === undefined || agent === null || asked.size === mostAsked) continue;
      asked.set(view.id, view);
      const question = { instance: view.id as InstanceId, ...place };
      const questions = byAgent.get(agent);
      if (questions === undefined) byAgent.set(agent, [question]);
      else questions.push(question);
    }
  }
  const answers = await askPeers([...byAgent.keys()], (agent, until) => agent.metrics(byAgent.get(agent) ?? [], until), clock, signal);
  return answers.flatMap((one): readonly ToldMetrics[] => {
    const questions = byAgent.get(one.peer) ?? [];
    const answered = "answer" in one ? one.answer : null;
    if (answered === null) {
      const why = "why" in one ? one.why : "its agent is too old to ask";
      return questions.flatMap(({ instance }) => told(asked.get(instance), [], why));
    }
    return answered.flatMap(({ instance, metrics, why }) => told(asked.get(instance), metrics.filter(isTheirs), why));
  });
}

function told(instance: InstanceView | undefined, metrics: readonly AppMetric[], why: string | null): readonly ToldMetrics[] {
  return instance === undefined ? [] : [{ instance, metrics, why }];
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
