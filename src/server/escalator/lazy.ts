import { errorFields } from "#host/log.ts";
import { DroverError } from "#model/errors.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import type { ControlPlaneOptions } from "../control-plane.ts";
import type { Core } from "../controllers/core.ts";
import { followStore } from "../controllers/follow-store.ts";
import { objects } from "../objects/objects.ts";
import type { Escalator } from "./escalator.ts";
import { hasChecks } from "./has-checks.ts";

/** What is loaded once it is needed: spaces without anything to check cost nothing. */
export interface LazyEscalator {
  /** @throws {DroverError} CONFLICT when another server runs escalations */
  get(): Promise<Escalator>;
  /** Null while there is nothing to check, or while another server runs escalations. */
  running(): Promise<Escalator | null>;
  stopped(): Promise<void>;
}

/** Loads the Escalator when the first ladder, pool or check is there. */
export function lazyEscalator(options: ControlPlaneOptions, core: Core, signal: AbortSignal): LazyEscalator {
  const { store, events, secrets, escalations, remote = null, measure = () => null, clock, random, log } = options;
  let loaded: Promise<Escalator> | null = null;
  let started: Escalator | null = null;
  const load = async (): Promise<Escalator> => {
    if (escalations === undefined) throw new DroverError("NOT_YET_SUPPORTED", "this server runs no escalations");
    const { startEscalator } = await import("./escalator.ts");
    started = await startEscalator({ store, events, secrets, core, remote, ...escalations, measure, clock, random, log }, signal);
    return started;
  };
  const get = () => {
    // One that failed is tried again by whoever asks next.
    loaded ??= load().catch((error: unknown) => {
      loaded = null;
      throw error;
    });
    return loaded;
  };
  const running = async () => {
    // Only its end is waited for: whoever asked for one that could not be started has its error, or the log has.
    await Promise.allSettled([loaded]);
    return started;
  };
  const start = () => {
    if (loaded === null && escalations !== undefined)
      get().catch((error: unknown) => log.error("escalations do not run", errorFields(error)));
  };
  const lookAt = (key: string) => {
    if (loaded !== null) return;
    const [, kind, space, app] = key.split("/");
    if (kind === "ladders" || kind === "pools") start();
    else if (app !== undefined && hasChecks(objects.app(store, space as SpaceName, app as AppName)?.value ?? { manifest: {} })) start();
  };
  const lookAtAll = () => {
    for (const { key } of [
      ...["/ladders/", "/pools/"].flatMap((prefix) => store.list(prefix, { limit: 1 })),
      ...(loaded === null ? store.list("/apps/") : []),
    ])
      lookAt(key);
  };
  const following = ["/ladders/", "/pools/", "/apps/"].map((prefix) =>
    followStore(prefix, lookAt, lookAtAll, { store, clock, log }, signal),
  );
  lookAtAll();
  return {
    get,
    running,
    stopped: async () => {
      await Promise.all(following);
      await (await running())?.stopped;
    },
  };
}
