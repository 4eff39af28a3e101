import { DroverError } from "#model/errors.ts";
import { type AppName, appId, type InstanceId, type ProcessName, type SpaceName, shortInstanceId } from "#model/names.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { ExecPlace } from "../control-plane.ts";
import { workloadBody } from "../controllers/workloads.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { objects } from "../objects/objects.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Store } from "../store/store.ts";

export interface ExecWanted {
  readonly instance?: string | undefined;
  readonly process?: ProcessName | undefined;
  readonly fresh: boolean;
}

interface Known {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly secrets: Secrets;
}

/** Chooses where a command runs. @throws {DroverError} APP_NOT_FOUND, PROCESS_NOT_FOUND, RELEASE_NOT_FOUND, INSTANCE_NOT_FOUND */
export function chooseExecPlace(known: Known, space: SpaceName, name: AppName, wanted: ExecWanted): ExecPlace {
  const { store, fleet, secrets } = known;
  const app = objects.app(store, space, name)?.value;
  if (app === undefined)
    throw new DroverError("APP_NOT_FOUND", `space "${space}" has no app "${name}"`, { hint: '"drover apps" lists those that there are.' });
  if (wanted.fresh) {
    const number = app.active ?? app.target;
    const release = number === null ? undefined : objects.release(store, space, name, number)?.value;
    if (release === undefined)
      throw new DroverError("RELEASE_NOT_FOUND", `"${name}" has no release to run a command in`, { hint: `Push it first: "drover push".` });
    const process = chooseProcess(name, Object.keys(release.spec.processes) as ProcessName[], wanted.process);
    const body = workloadBody({ app, space: objects.space(store, space)?.value ?? null, release, process }, secrets);
    if (body === null) throw new Error(`release ${release.number} of ${space}/${name} lost its process ${process}`);
    return { where: { kind: "workload", workload: { ...body, count: 1, revision: store.revision } }, instance: null };
  }
  const instances = fleet
    .workloads(appId(space, name))
    .filter(({ kind }) => kind === "service")
    .flatMap((workload) => [...workload.instances.values()].map((instance) => ({ process: workload.name.process, instance })));
  const running = instances.filter(({ instance }) => instance.state === "running" || instance.state === "draining");
  if (wanted.instance !== undefined) {
    const found = running.find(({ instance }) => instance.id === wanted.instance || shortInstanceId(instance.id) === wanted.instance);
    if (found !== undefined) return at(found.instance.id);
    throw new DroverError("INSTANCE_NOT_FOUND", `"${name}" has no running instance "${wanted.instance}"`, {
      hint: `"drover ps ${name}" lists those that run.`,
    });
  }
  const processes = [...new Set(instances.map(({ process }) => process))].sort();
  const process = chooseProcess(name, processes, wanted.process);
  const candidates = running
    .filter((candidate) => candidate.process === process)
    .map(({ instance }) => instance)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const chosen = candidates.find(isReady) ?? candidates[0];
  if (chosen !== undefined) return at(chosen.id);
  throw new DroverError("INSTANCE_NOT_FOUND", `no instance of "${process}" of "${name}" runs`, {
    hint: `"drover why ${name}" says why; "drover run ${name}" runs a command in surroundings of its own.`,
  });
}

function chooseProcess(app: AppName, processes: readonly ProcessName[], wanted: ProcessName | undefined): ProcessName {
  const web = "web" as ProcessName;
  const chosen = wanted ?? (processes.includes(web) ? web : processes[0]) ?? web;
  if (wanted === undefined || processes.includes(wanted)) return chosen;
  throw new DroverError("PROCESS_NOT_FOUND", `"${app}" has no process "${wanted}"`, {
    hint: processes.length === 0 ? "Nothing of it runs." : `It has ${processes.join(", ")}.`,
  });
}

function at(instance: InstanceId): ExecPlace {
  return { where: { kind: "instance", instance }, instance };
}
