import type { Changed } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import type { BuiltInAction } from "#model/ladder.ts";
import { type AppName, appId, type SpaceName, type StepId } from "#model/names.ts";
import { isReady } from "#plan/rollout/counts.ts";
import type { Subscribers } from "../../controllers/subscribers.ts";
import { restartedUnder } from "../../controllers/workloads.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import { ladderKeys } from "../../objects/ladder-objects.ts";
import { objects, put } from "../../objects/objects.ts";
import { type AppCall, redeploy, restart, rollback } from "../../operations/app-operations.ts";
import type { OperationContext } from "../../operations/context.ts";
import type { Leadership } from "../leadership.ts";
import type { ActionEnd } from "../step-executor.ts";

export type AppAction = Extract<BuiltInAction, `app.${string}`>;

export interface AppActionsOptions {
  readonly context: OperationContext;
  readonly lead: Leadership;
  readonly fleet: Fleet;
  readonly subscribers: Subscribers;
}

/**
 * Carries an action out on an app by the operation that people use too, and waits until the app is as that wants it. The operation's commit leaves
 * a receipt under the step's id, so it is made once whatever dies.
 */
export async function actOnApp(
  options: AppActionsOptions,
  space: SpaceName,
  app: AppName,
  action: AppAction,
  step: StepId,
  signal: AbortSignal,
): Promise<ActionEnd> {
  const { context, lead } = options;
  const key = ladderKeys.step(space, step);
  if (context.store.get(key) === null) {
    const call: AppCall = {
      space,
      app,
      require: () => undefined,
      receipt: { keep: (answer) => ({ condition: { key, modRevision: 0 }, change: put(key, answer) }) },
    };
    signal.throwIfAborted();
    if (!lead.holds()) throw new DroverError("CONFLICT", "another server runs escalations");
    await operate(context, call, action);
  }
  const receipt = context.store.get(key);
  const made = receipt === null ? null : (JSON.parse(Buffer.from(receipt.value).toString("utf8")) as Changed).release;
  const problem = await untilAsWanted(options, space, app, made, signal);
  return { result: problem === null ? "ok" : "failed", exitCode: null, output: problem ?? `${app} is ready` };
}

async function operate(context: OperationContext, call: AppCall, action: AppAction): Promise<void> {
  switch (action) {
    case "app.restart":
      await restart(context, call);
      return;
    case "app.redeploy":
      await redeploy(context, call);
      return;
    case "app.rollback":
      await rollback(context, call, undefined);
      return;
    default:
      action satisfies never;
  }
}

/** Waits until everything that is wanted runs in its newest form and is ready. The problem, when it will not be. */
async function untilAsWanted(
  { context: { store }, fleet, subscribers }: AppActionsOptions,
  space: SpaceName,
  name: AppName,
  made: number | null,
  signal: AbortSignal,
): Promise<string | null> {
  const follower = subscribers.follow(appId(space, name));
  try {
    for (;;) {
      signal.throwIfAborted();
      const app = objects.app(store, space, name)?.value;
      if (app === undefined || app.destroying) return `${name} is not there any more`;
      if (app.stopped) return `${name} was stopped by a person`;
      const failed = made === null ? null : objects.release(store, space, name, made)?.value;
      if (failed?.state === "failed") return `release ${made} failed: ${failed.failure?.reason ?? "it did not become ready"}`;
      const release = app.target === null ? null : objects.release(store, space, name, app.target)?.value;
      const processes = Object.keys(release?.spec.processes ?? {}) as (keyof typeof app.instances)[];
      const isWanted = processes.every((process) => {
        const token = app.restartTokens?.[process] ?? app.restartToken;
        const own = fleet.workloads(appId(space, name)).filter((one) => one.kind === "service" && one.name.process === process);
        const ready = own
          .filter((one) => one.name.release === app.target)
          .flatMap((one) => [...one.instances.values()])
          .filter((instance) => isReady(instance) && restartedUnder(instance) === token);
        return ready.length >= (app.instances[process] ?? 1);
      });
      if (isWanted && fleet.isKnown && app.active === app.target && objects.rollout(store, space, name) === null) return null;
      await follower.next(signal);
    }
  } finally {
    follower.close();
  }
}
