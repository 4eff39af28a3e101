import type { BuiltInAction } from "#model/ladder.ts";
import type { AppName, MachineId, PoolName, SpaceName, StepId } from "#model/names.ts";
import { nameOf, scopeOf } from "#model/target.ts";
import type { StepOrder } from "#plan/ladder/input.ts";
import { ladderKeys } from "../../objects/ladder-objects.ts";
import { objects, remove } from "../../objects/objects.ts";
import type { ActionEnd, RunAction } from "../step-executor.ts";
import { type AppActionsOptions, actOnApp } from "./app-actions.ts";
import { actOnMachine, createPools, type MachineActionsOptions, makePool } from "./machine-actions.ts";
import { endTask, runTask, type TaskOptions } from "./task.ts";

export type ActionOptions = AppActionsOptions & TaskOptions & MachineActionsOptions;

/** Apps of a space that are acted on at once when all of them are. */
const appsAtOnce = 8;

/** Carries out whatever a level can ask for. */
export function createRunAction(options: ActionOptions): RunAction {
  return async (space, step, signal) => {
    const { action } = step;
    if (action.kind === "command")
      return runTask(
        options,
        space,
        { key: step.id, command: { shell: action.run }, env: environmentOf(step, action.env, space), timeoutMs: step.timeoutMs },
        signal,
      );
    return runBuiltIn(options, space, step, action.name, signal);
  };
}

/** Forgets what was kept of a step so that it is done once. */
export async function forgetStep(options: ActionOptions, space: SpaceName, step: StepId): Promise<void> {
  await endTask(options, space, step);
  const { store, lead } = options;
  const own = ladderKeys.step(space, step);
  // A step that acted on several apps has a receipt for each, below its own.
  const below = store.list(`${own}${encodeURIComponent("/")}`);
  const receipts = [...(store.get(own) === null ? [] : [{ key: own }]), ...below].map(({ key }) => remove(key));
  if (receipts.length > 0) await store.commit({ conditions: [lead.condition], changes: receipts });
}

async function runBuiltIn(
  options: ActionOptions,
  space: SpaceName,
  step: StepOrder,
  name: BuiltInAction,
  signal: AbortSignal,
): Promise<ActionEnd> {
  switch (name) {
    case "app.restart":
    case "app.redeploy":
    case "app.rollback":
      return actOnApp(options, space, nameOf(step.target) as AppName, name, step.id, signal);
    case "space.restore":
      return restoreSpace(options, space, step, signal);
    case "pool.create":
      return makePool(options, space, nameOf(step.target) as PoolName, step, signal);
    case "machine.replace":
    case "machine.converge":
    case "machine.power-cycle":
      return actOnMachine(options, space, nameOf(step.target) as MachineId, name, step, signal);
    default:
      return name satisfies never;
  }
}

/** Every pool has its machines; then every app of the space that should run starts afresh, a few at a time. */
async function restoreSpace(options: ActionOptions, space: SpaceName, order: StepOrder, signal: AbortSignal): Promise<ActionEnd> {
  const pools = await createPools(options, space, order, signal);
  if (pools !== null && pools.result !== "ok") return pools;
  const apps = await restoreApps(options, space, order.id, signal);
  return pools === null ? apps : { ...apps, output: `${pools.output}\n${apps.output}` };
}

async function restoreApps(options: ActionOptions, space: SpaceName, step: StepId, signal: AbortSignal): Promise<ActionEnd> {
  const apps = objects.apps(options.store, space).filter(({ value }) => !value.stopped && !value.destroying && value.target !== null);
  const waiting = apps.map(({ value }) => value.name);
  const ends: { readonly app: AppName; readonly end: ActionEnd }[] = [];
  const work = async () => {
    for (let app = waiting.shift(); app !== undefined; app = waiting.shift()) {
      const end = await actOnApp(options, space, app, "app.redeploy", `${step}/${app}` as StepId, signal);
      ends.push({ app, end });
    }
  };
  await Promise.all(Array.from({ length: Math.min(appsAtOnce, apps.length) }, work));
  const failed = ends.filter(({ end }) => end.result !== "ok");
  const output = (failed.length > 0 ? failed : ends).map(({ app, end }) => `${app}: ${end.output}`).join("\n");
  return { result: failed.length > 0 ? "failed" : "ok", exitCode: null, output: output === "" ? "the space has no apps" : output };
}

/** What a level's command is told. */
function environmentOf(step: StepOrder, env: Readonly<Record<string, string>>, space: SpaceName): Record<string, string> {
  return {
    ...env,
    DROVER_SPACE: space,
    DROVER_LEVEL: step.level,
    DROVER_ESCALATION: step.escalation,
    DROVER_ATTEMPT: String(step.attempt),
    DROVER_SCOPE: scopeOf(step.target),
    TARGET: nameOf(step.target),
  };
}
