import { z } from "zod";
import {
  type AppSummary,
  type AppsChange,
  applied,
  appStatus,
  appSummary,
  appsChange,
  changed,
  environmentRequest,
  instance,
  maintenanceRequest,
  type ReleaseView,
  reason,
  release,
  restartRequest,
  rollbackRequest,
  scaleRequest,
} from "#model/api.ts";
import type { Release } from "#model/app.ts";
import { pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { spaceName } from "#model/name-schemas.ts";
import { type AppName, type InstanceId, type MachineId, type SpaceName, shortInstanceId } from "#model/names.ts";
import { objects } from "../../objects/objects.ts";
import {
  type AppCall,
  changeEnvironment,
  destroy,
  noSuchApp,
  requireApp,
  restart,
  rollback,
  scale,
  setMaintenance,
  setStopped,
} from "../../operations/app-operations.ts";
import { apply } from "../../operations/apply.ts";
import { targetSpec } from "../../operations/releases.ts";
import { requireSpace } from "../../operations/space-operations.ts";
import { requireRevision } from "../etag.ts";
import { type Call, json, type Route, route, type SentEvent } from "../route.ts";
import { type Services, signed } from "../services.ts";

const base = "/v1/spaces/:space/apps/:app";

/** A manifest as JSON; its own schema checks it, with positions, on the way in. */
const manifestBody = z.record(z.string(), z.unknown()).meta({ description: "An app's manifest as JSON; see docs/reference/manifest.md." });

export function appRoutes(services: Services): readonly Route[] {
  return [...readingRoutes(services), ...changingRoutes(services), ...verbRoutes(services)];
}

function readingRoutes(services: Services): readonly Route[] {
  const { store, controlPlane } = services;
  const summaries = z.object({ apps: z.array(appSummary) });
  return [
    route({
      method: "GET",
      path: "/v1/apps",
      id: "listApps",
      summary: "Apps of one space or of all, by space and name.",
      access: { right: "read", of: "each" },
      query: z.strictObject({ space: spaceName.optional() }),
      answer: { kind: "json", schema: summaries },
      handle: async ({ sees }, { space }) => {
        if (space !== undefined) requireSpace(services, space);
        return { json: { apps: controlPlane.summaries(space).filter((app) => sees(app.space)) } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/apps/watch",
      id: "watchApps",
      summary: "All apps, then those that changed: first an event `all`, then events `changed`.",
      access: { right: "read", of: "each" },
      answer: { kind: "events", schema: appsChange },
      handle: async (call) => ({ events: appChanges(services, call) }),
    }),
    route({
      method: "GET",
      path: "/v1/instances",
      id: "listAllInstances",
      summary: "Instances of one space or of all, by space and app; or those on one machine.",
      access: { right: "read", of: "each" },
      query: z.strictObject({ space: spaceName.optional(), machine: z.string().min(1).max(64).optional() }),
      answer: { kind: "json", schema: z.object({ instances: z.array(instance) }) },
      handle: async ({ sees }, { space, machine }) => {
        if (space !== undefined) requireSpace(services, space);
        if (machine !== undefined) {
          const there = controlPlane.instancesOn(machine as MachineId).filter((one) => sees(one.space));
          return { json: { instances: there.filter((one) => space === undefined || one.space === space) } };
        }
        const seen = objects.apps(store, space).filter(({ value }) => sees(value.space));
        const apps = seen.map(({ value }) => controlPlane.instances(value.space, value.name));
        return { json: { instances: apps.flat() } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/spaces/:space/apps",
      id: "listAppsOfSpace",
      summary: "Apps of a space, by name.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: summaries },
      handle: async ({ params }) => {
        const { value } = requireSpace(services, params["space"] as SpaceName);
        return { json: { apps: controlPlane.summaries(value.name) } };
      },
    }),
    route({
      method: "GET",
      path: base,
      id: "getApp",
      summary: "Everything about one app now.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: appStatus, hasEtag: true },
      handle: async (call) => {
        const { space, app } = named(call);
        const view = controlPlane.appStatus(space, app);
        if (view === null) throw noSuchApp(store, space, app);
        return { json: view, etag: view.revision };
      },
    }),
    route({
      method: "GET",
      path: `${base}/watch`,
      id: "watchApp",
      summary: "The app's status now and after each change, as events `status`; ends with an event `gone` when the app is.",
      access: { right: "read", of: "space" },
      answer: { kind: "events", schema: appStatus },
      handle: async (call) => {
        const { space, app } = named(call);
        if (objects.app(store, space, app) === null) throw noSuchApp(store, space, app);
        return { events: statusEvents(services, space, app, call.signal) };
      },
    }),
    route({
      method: "GET",
      path: `${base}/manifest`,
      id: "getManifest",
      summary: "The app's manifest as it is in force: overlay applied, variables filled in.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: manifestBody, hasEtag: true },
      handle: async (call) => {
        const { space, app } = named(call);
        const stored = requireApp(services, space, app);
        return { json: stored.value.manifest, etag: stored.modRevision };
      },
    }),
    route({
      method: "GET",
      path: `${base}/why`,
      id: "whyApp",
      summary: "Why the app is not running or not ready, and which of its checks fail, in words; empty when all is well.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ reasons: z.array(reason) }) },
      handle: async (call) => {
        const { space, app } = named(call);
        return { json: { reasons: [...controlPlane.why(space, app), ...(await controlPlane.unmended(space, `app/${app}`))] } };
      },
    }),
    route({
      method: "GET",
      path: `${base}/instances`,
      id: "listInstances",
      summary: "The app's instances.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ instances: z.array(instance) }) },
      handle: async (call) => {
        const { space, app } = named(call);
        if (objects.app(store, space, app) === null) throw noSuchApp(store, space, app);
        return { json: { instances: controlPlane.instances(space, app) } };
      },
    }),
    route({
      method: "GET",
      path: `${base}/releases`,
      id: "listReleases",
      summary: "The app's releases that are kept, newest first.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ releases: z.array(release) }) },
      handle: async (call) => {
        const { space, app } = named(call);
        requireApp(services, space, app);
        const views = objects.releases(store, space, app).map(({ value }) => viewRelease(value));
        return { json: { releases: views.reverse() } };
      },
    }),
    route({
      method: "GET",
      path: `${base}/env`,
      id: "getEnvironment",
      summary: "The environment of the release that is wanted.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ env: z.record(z.string(), z.string()), secrets: z.array(z.string()) }), hasEtag: true },
      handle: async (call) => {
        const { space, app } = named(call);
        const stored = requireApp(services, space, app);
        const spec = targetSpec(store, stored.value);
        return { json: { env: spec?.env ?? {}, secrets: Object.keys(spec?.secrets ?? {}) }, etag: stored.modRevision };
      },
    }),
  ];
}

function changingRoutes(services: Services): readonly Route[] {
  const answer = { kind: "json", schema: changed } as const;
  return [
    route({
      method: "PUT",
      path: base,
      id: "putApp",
      summary: "Declares one app by its manifest as JSON: what `apply` does for one.",
      access: { right: "deploy", of: "space" },
      body: json(manifestBody),
      answer: { kind: "json", schema: applied },
      handle: async (call, _query, manifest) => {
        const { space, app, receipt, require } = appCall(call);
        if (manifest["app"] !== undefined && manifest["app"] !== app) {
          throw new DroverError("REQUEST_INVALID", `the manifest names another app than the path, "${app}"`, {
            hint: "Use one name in both.",
          });
        }
        // Stringified anew, so that the manifest's checks and positions are those of any other manifest.
        const documents = [{ file: "(request)", text: JSON.stringify({ app, ...manifest }) }];
        const request = { documents, space, variables: {}, artifacts: {}, prune: false, force: false, cause: "apply" as const };
        return { json: await apply(signed(services, call), request, { receipt, requireApp: require }) };
      },
    }),
    route({
      method: "DELETE",
      path: base,
      id: "destroyApp",
      summary: "Stops everything of the app, then forgets it.",
      access: { right: "deploy", of: "space" },
      answer,
      handle: async (call) => ({ json: await destroy(signed(services, call), appCall(call)) }),
    }),
    route({
      method: "PATCH",
      path: `${base}/env`,
      id: "changeEnvironment",
      summary: "Sets and unsets variables by hand; makes a new release.",
      access: { right: "deploy", of: "space" },
      body: json(environmentRequest),
      answer,
      handle: async (call, _query, request) => ({ json: await changeEnvironment(signed(services, call), appCall(call), request) }),
    }),
  ];
}

function verbRoutes(services: Services): readonly Route[] {
  const answer = { kind: "json", schema: changed } as const;
  const nothing = json(z.strictObject({}));
  return [
    route({
      method: "POST",
      path: `${base}/scale`,
      id: "scaleApp",
      summary: "Sets how many instances of each named process are wanted.",
      access: { right: "deploy", of: "space" },
      body: json(scaleRequest),
      answer,
      handle: async (call, _query, { instances }) => ({ json: await scale(signed(services, call), appCall(call), instances) }),
    }),
    route({
      method: "POST",
      path: `${base}/rollback`,
      id: "rollbackApp",
      summary: "Goes back to an earlier release: a new one with the old one's content.",
      access: { right: "deploy", of: "space" },
      body: json(rollbackRequest),
      answer,
      handle: async (call, _query, { to }) => ({ json: await rollback(signed(services, call), appCall(call), to) }),
    }),
    route({
      method: "POST",
      path: `${base}/restart`,
      id: "restartApp",
      summary: "Replaces the app's instances, or those of one process, by new ones of the same release.",
      access: { right: "deploy", of: "space" },
      body: json(restartRequest),
      answer,
      handle: async (call, _query, { process }) => ({ json: await restart(signed(services, call), appCall(call), process) }),
    }),
    route({
      method: "POST",
      path: `${base}/maintenance`,
      id: "setMaintenance",
      summary: "Puts a page, 503, in front of the app on its HTTP routes, or takes it away. The app runs on.",
      access: { right: "deploy", of: "space" },
      body: json(maintenanceRequest),
      answer,
      handle: async (call, _query, { on, message, retryAfterMs }) => ({
        json: await setMaintenance(signed(services, call), appCall(call), on ? { message, retryAfterMs } : null),
      }),
    }),
    route({
      method: "POST",
      path: `${base}/stop`,
      id: "stopApp",
      summary: "Stops the app's instances; it stays declared.",
      access: { right: "deploy", of: "space" },
      body: nothing,
      answer,
      handle: async (call) => ({ json: await setStopped(signed(services, call), appCall(call), true) }),
    }),
    route({
      method: "POST",
      path: `${base}/start`,
      id: "startApp",
      summary: "Starts what `stop` stopped.",
      access: { right: "deploy", of: "space" },
      body: nothing,
      answer,
      handle: async (call) => ({ json: await setStopped(signed(services, call), appCall(call), false) }),
    }),
    route({
      method: "POST",
      path: `${base}/instances/:instance/restart`,
      id: "restartInstance",
      summary: "Restarts one instance in place.",
      access: { right: "deploy", of: "space" },
      body: nothing,
      answer: { kind: "none" },
      handle: async (call) => {
        const { space, app } = named(call);
        requireApp(services, space, app);
        const id = `${space}/${app}/${call.params["instance"]}` as InstanceId;
        await services.controlPlane.restartInstance(id, call.signal);
        signed(services, call).events.append({
          kind: "instance.restarted",
          space,
          app,
          subject: id,
          message: `${shortInstanceId(id)} is restarted`,
        });
        return { status: 204 };
      },
    }),
  ];
}

function named({ params }: Call): { readonly space: SpaceName; readonly app: AppName } {
  return { space: params["space"] as SpaceName, app: params["app"] as AppName };
}

function appCall(call: Call): AppCall {
  const { space, app } = named(call);
  const require = (current: number) => requireRevision(`app "${app}"`, call.precondition, current);
  return { space, app, receipt: call.receipt, require };
}

async function* statusEvents({ controlPlane }: Services, space: SpaceName, app: AppName, signal: AbortSignal): AsyncGenerator<SentEvent> {
  for await (const view of controlPlane.watchApp(space, app, signal)) {
    if (view === null) {
      yield { event: "gone", json: "{}" };
      return;
    }
    yield { event: "status", id: view.revision, json: JSON.stringify(view) };
  }
}

/** How soon after one change the next may follow: a fleet in motion is told of in steps that a person can see. */
const changesGapMs = 100;

async function* appChanges({ controlPlane, clock }: Services, { signal, sees }: Call): AsyncGenerator<SentEvent> {
  const batches = controlPlane.changes(signal)[Symbol.asyncIterator]();
  try {
    // It listens before it looks, so that nothing is missed in between.
    let next = batches.next();
    yield {
      event: "all",
      json: JSON.stringify({ apps: controlPlane.summaries().filter(({ space }) => sees(space)), gone: [] } satisfies AppsChange),
    };
    for (;;) {
      const { done, value } = await next;
      if (done === true || signal.aborted) return;
      const apps: AppSummary[] = [];
      const gone: AppsChange["gone"] = [];
      for (const id of value) {
        const [space, app] = id.split("/") as [SpaceName, AppName];
        if (!sees(space)) continue;
        const summary = controlPlane.summary(space, app);
        if (summary === null) gone.push({ space, app });
        else apps.push(summary);
      }
      if (apps.length + gone.length > 0) yield { event: "changed", json: JSON.stringify({ apps, gone } satisfies AppsChange) };
      await pause(clock, changesGapMs, signal);
      next = batches.next();
    }
  } finally {
    await batches.return?.();
  }
}

function viewRelease({ number, state, cause, createdAtMs, failure, spec }: Release): ReleaseView {
  return {
    number,
    state,
    cause,
    createdAtMs,
    artifact: spec.artifact,
    failure: failure === null ? null : { ...failure, lines: [...failure.lines] },
    processes: Object.fromEntries(Object.entries(spec.processes).map(([name, { run }]) => [name, run])),
    env: { ...spec.env },
    secrets: Object.keys(spec.secrets),
  };
}
