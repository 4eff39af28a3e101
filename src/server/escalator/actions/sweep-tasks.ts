import { errorFields } from "#host/log.ts";
import { pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { EscalationId, SpaceName } from "#model/names.ts";
import { isStepsApp } from "#model/steps.ts";
import { ladderKeys, ladderObjects } from "../../objects/ladder-objects.ts";
import { remove } from "../../objects/objects.ts";
import type { Leadership } from "../leadership.ts";
import { isTaskOf, removeTask, type TaskOptions } from "./task.ts";

/** Leftovers cost a little memory at the agent and nothing else, so there is no hurry. */
const sweepEveryMs = 60_000;

/**
 * Removes what steps left behind whose server died between writing their end and tidying up: their tasks at the agent, and their receipts.
 * A step that has not ended keeps both, because they are what keeps it from being done twice.
 */
export async function sweepTasks(options: TaskOptions & { readonly lead: Leadership }, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(options.clock, sweepEveryMs, signal);
    if (signal.aborted || !options.lead.holds()) return;
    try {
      await sweep(options, signal);
    } catch (error) {
      if (!signal.aborted) log.warn("leftovers of steps were not removed; it is tried again", errorFields(error));
    }
  }
}

async function sweep({ store, fleet, lead, awaited }: TaskOptions & { readonly lead: Leadership }, signal: AbortSignal): Promise<void> {
  for (const app of fleet.apps().filter(isStepsApp)) {
    const space = app.split("/")[0] as SpaceName;
    const open = openSteps(store, space);
    for (const known of fleet.workloads(app))
      if (!awaited.has(known.id) && !open.some((step) => isTaskOf(known, step))) await removeTask({ store, fleet }, known, signal);
  }
  const open = new Set<string>();
  const spaces = new Set(store.list("/steps/").map(({ key }) => key.split("/")[2] as SpaceName));
  for (const space of spaces) for (const step of openSteps(store, space)) open.add(ladderKeys.step(space, step));
  const left = store.list("/steps/").filter(({ key }) => ![...open].some((own) => key === own || key.startsWith(`${own}%2F`)));
  left.push(...madeOfEndedRuns(store));
  if (left.length > 0) await store.commit({ conditions: [lead.condition], changes: left.map(({ key }) => remove(key)) });
}

/** What a run made matters to that run alone. */
function madeOfEndedRuns(store: TaskOptions["store"]) {
  return store.list("/made/").filter(({ key }) => {
    const [, , space, escalation] = key.split("/");
    const run = ladderObjects.escalation(store, space as SpaceName, decodeURIComponent(escalation ?? "") as EscalationId);
    return run === null || run.value.outcome !== null;
  });
}

function openSteps(store: TaskOptions["store"], space: SpaceName) {
  return ladderObjects
    .escalations(store, space)
    .flatMap(({ value }) => value.steps.filter(({ ended }) => ended === null).map(({ id }) => id));
}
