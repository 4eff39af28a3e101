import type { AppVersions, InstanceVersion, ProgramVersionView, VersionsView } from "#model/api-versions.ts";
import type { App, Release } from "#model/app.ts";
import type { Clock } from "#model/clock.ts";
import { type InfoAnswer, type InfoQuestion, usualInfoPath } from "#model/info.ts";
import { type AppId, type AppName, appId, type ProcessName, type SpaceName } from "#model/names.ts";
import type { ProgramVersion } from "#model/workload.ts";
import type { RoutesController } from "../../controllers/routes-controller.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { AgentPeer } from "../../fleet/peers.ts";
import { objects } from "../../objects/objects.ts";
import type { Store } from "../../store/store.ts";
import { instanceViews } from "../app-view.ts";
import { askPeers } from "../peer-answers.ts";
import type { RouteAddresses } from "../route-address.ts";
import { placeOf } from "../route-view.ts";
import { findDifferences } from "./differences.ts";

/** More instances than one look is worth asking: the rest is shown without its own word. */
const mostAsked = 2_000;

export interface VersionsOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly routes: Pick<RoutesController, "wanted" | "peers">;
  readonly addresses: RouteAddresses;
  readonly clock: Clock;
}

export interface WhichVersions {
  /** The apps to show. */
  readonly isShown: (app: App) => boolean;
  /** Whether instances are asked what they say of themselves. */
  readonly asks: boolean;
  /** What the server itself is. */
  readonly program: ProgramVersion;
}

/** Which version of which app runs where: wanted, running, and by its own word, which the agents ask for within a second. */
export async function viewVersions(options: VersionsOptions, which: WhichVersions, signal: AbortSignal): Promise<VersionsView> {
  const { store, fleet } = options;
  const apps = objects.apps(store).flatMap(({ value }) => (which.isShown(value) ? [value] : []));
  const routes = routesByApp(options);
  const views = apps.map((app) => viewApp(options, app, routes.get(appId(app.space, app.name)) ?? []));
  const [heard, programs] = await Promise.all([
    which.asks ? askAll(options, apps, views, signal) : { answers: new Map<string, InfoAnswer>(), silent: [] },
    viewPrograms(options, which.program, signal),
  ]);
  return {
    apps: views.map((view) => {
      const instances = view.instances.map((one): InstanceVersion => {
        const answer = heard.answers.get(one.id);
        return answer === undefined
          ? one
          : { ...one, said: answer.said === null ? null : { ...answer.said, more: { ...answer.said.more } }, why: answer.why };
      });
      return { ...view, instances, differences: findDifferences({ ...view, instances }) };
    }),
    programs,
    silent: heard.silent.filter(({ machine }) => fleet.instancesOn(machine as never) > 0),
  };
}

function viewApp({ store, fleet }: VersionsOptions, app: App, routes: AppVersions["routes"]): Omit<AppVersions, "differences"> {
  const release = app.target === null ? null : (objects.release(store, app.space, app.name, app.target)?.value ?? null);
  const services = fleet.workloads(appId(app.space, app.name)).filter(({ kind }) => kind === "service");
  const instances = instanceViews(services).map(({ id, process, release: runs, machine, state, ready }) => ({
    id,
    process,
    release: runs,
    machine,
    state,
    ready,
    said: null,
    why: null,
  }));
  return {
    space: app.space,
    app: app.name,
    wanted: release === null ? null : wantedOf(release),
    active: app.active,
    routes,
    instances: instances.sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

/** Those that carry traffic, by the app that they lead to, by place. */
function routesByApp({ routes, addresses }: VersionsOptions): ReadonlyMap<AppId, AppVersions["routes"]> {
  const byApp = new Map<AppId, AppVersions["routes"]>();
  for (const { route, holder } of routes.wanted()) {
    const { listener, targets, process, space, app, policy } = route;
    if (holder !== null || listener.kind === "name") continue;
    const total = targets.reduce((sum, { weight }) => sum + weight, 0);
    const view = {
      place: placeOf(listener),
      url: addresses.urlOf(listener, policy),
      process: process as string,
      targets: targets.map(({ release, weight, endpoints }) => ({
        release,
        share: total === 0 ? 0 : weight / total,
        instances: endpoints.length,
      })),
    };
    const known = byApp.get(appId(space as SpaceName, app as AppName));
    if (known === undefined) byApp.set(appId(space as SpaceName, app as AppName), [view]);
    else known.push(view);
  }
  for (const views of byApp.values()) views.sort((a, b) => (a.place < b.place ? -1 : 1));
  return byApp;
}

function wantedOf({ number, cause, createdAtMs, spec }: Release): AppVersions["wanted"] {
  return { release: number, cause, createdAtMs, artifact: spec.artifact };
}

async function askAll(
  { store, fleet, clock }: VersionsOptions,
  apps: readonly App[],
  views: readonly Omit<AppVersions, "differences">[],
  signal: AbortSignal,
): Promise<{ readonly answers: ReadonlyMap<string, InfoAnswer>; readonly silent: VersionsView["silent"] }> {
  const byAgent = new Map<AgentPeer, InfoQuestion[]>();
  let asked = 0;
  for (const [i, { instances }] of views.entries()) {
    const app = apps[i];
    if (app === undefined) continue;
    for (const { id, process, release, state } of instances) {
      const path = state === "running" ? infoPath(store, app, process as ProcessName, release) : null;
      const agent = path === null ? null : fleet.agentOf(id as never);
      if (path === null || agent === null || asked === mostAsked) continue;
      asked++;
      const questions = byAgent.get(agent);
      const question = { instance: id as never, path };
      if (questions === undefined) byAgent.set(agent, [question]);
      else questions.push(question);
    }
  }
  const answers = new Map<string, InfoAnswer>();
  const silent: VersionsView["silent"] = [];
  for (const one of await askPeers([...byAgent.keys()], (agent, until) => agent.info(byAgent.get(agent) ?? [], until), clock, signal)) {
    if (!("answer" in one)) silent.push({ machine: one.peer.machine, why: one.why });
    else if (one.answer === null) silent.push({ machine: one.peer.machine, why: "its agent is too old to ask" });
    else for (const answer of one.answer) answers.set(answer.instance, answer);
  }
  return { answers, silent };
}

/** Null: it is not asked. */
function infoPath(store: Store, app: App, process: ProcessName, release: number): string | null {
  const stated = Object.hasOwn(app.info ?? {}, process) ? app.info?.[process] : undefined;
  if (stated !== undefined) return stated === "none" ? null : stated;
  const spec = objects.release(store, app.space as SpaceName, app.name, release)?.value.spec.processes[process];
  return spec === undefined || spec.port === "none" || spec.protocol !== "http" ? null : usualInfoPath;
}

async function viewPrograms(
  { fleet, routes, clock }: VersionsOptions,
  program: ProgramVersion,
  signal: AbortSignal,
): Promise<ProgramVersionView[]> {
  const view = (machine: string, name: ProgramVersionView["program"], is: ProgramVersion | null): ProgramVersionView => ({
    machine,
    program: name,
    version: is?.version ?? null,
    node: is?.node ?? null,
    differs: is?.version !== program.version,
  });
  const edges = await askPeers(routes.peers, (peer, until) => peer.program(until), clock, signal);
  const own = fleet.machines().find(({ isRemote }) => !isRemote);
  const programs = [
    ...(own === undefined ? [] : [view(own.id, "server", program)]),
    ...fleet.machines().flatMap(({ id, machine, peer }) => (peer === null ? [] : [view(id, "agent", machine.program ?? null)])),
    ...edges.map((edge) => view(edge.peer.machine, "edge", "answer" in edge ? edge.answer : null)),
  ];
  return programs.sort((a, b) => (a.machine === b.machine ? rankOf(a) - rankOf(b) : a.machine < b.machine ? -1 : 1));
}

function rankOf({ program }: ProgramVersionView): number {
  return ["server", "agent", "edge"].indexOf(program);
}
