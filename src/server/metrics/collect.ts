import { setImmediate } from "node:timers/promises";
import type { AppSummary } from "#model/api.ts";
import type { UsageView } from "#model/api-usage.ts";
import type { Space } from "#model/app.ts";
import type { AppMetric } from "#model/app-metrics.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import { latencyBoundsMs } from "#model/routing-table.ts";
import type { ControlPlane, RouteTraffic } from "../control-plane.ts";
import type { Escalator } from "../escalator/escalator.ts";
import { viewChecks, viewEscalation } from "../escalator/view.ts";
import type { FigureStore } from "../figures/figure-store.ts";
import { ladderObjects } from "../objects/ladder-objects.ts";
import { objects, type Stored } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { ToldMetrics } from "./app-metrics.ts";
import type { FigureSink } from "./exposition.ts";

export interface Measured {
  readonly controlPlane: Pick<
    ControlPlane,
    "summaries" | "instances" | "machines" | "edges" | "problems" | "traffic" | "usage" | "appMetrics" | "runningEscalator"
  >;
  readonly store: Store;
  readonly figures: Pick<FigureStore, "state">;
  readonly version: string;
  readonly startedAtMs: number;
  /** Whether things of this space are told; null: those of the installation. */
  readonly sees: (space: string | null) => boolean;
  /** Who told what the last time; left out: nobody knows. */
  readonly before?: Heard | null;
  /** Leaves out what instances told before and were not asked again, because they are asked seldom. Default: it is told as it was. */
  readonly onlyNew?: boolean;
}

/**
 * Who told all that it had at a moment. A counter that one of them had not then stood at zero: else its first errors would only say where it begins, and no
 * condition would see them.
 */
export interface Heard {
  /** Epoch milliseconds at which they were asked. */
  readonly atMs: number;
  /** Machines whose edges answered, with what those count. */
  readonly edges: ReadonlyMap<string, ReadonlySet<string>>;
  /** Instances that told figures of themselves, and all of them. */
  readonly instances: ReadonlySet<string>;
}

/** Apps or routes that are told before others get their turn: a large installation has tens of thousands of lines. */
const atOnce = 200;

/** Tells all figures as they are now. Agents and edges are asked at once, and have a second for it. Resolves with who told them. */
export async function collectMetrics(
  { controlPlane, store, figures, version, startedAtMs, sees, before = null, onlyNew = false }: Measured,
  told: FigureSink,
  signal: AbortSignal,
): Promise<Omit<Heard, "atMs">> {
  const [usage, traffic, ofApps, problems, escalator] = await Promise.all([
    controlPlane.usage(signal),
    controlPlane.traffic(signal),
    controlPlane.appMetrics(signal),
    sees(null) ? controlPlane.problems(signal) : [],
    controlPlane.runningEscalator(),
  ]);
  told.add("drover_build_info", { version }, 1);
  told.add("drover_start_time_seconds", {}, startedAtMs / 1_000);
  told.add("drover_store_revision", {}, store.revision);
  const { series, refused, diskBytes } = figures.state;
  told.add("drover_figures_series", {}, series);
  told.add("drover_figures_refused", {}, refused);
  told.add("drover_figures_disk_bytes", {}, diskBytes);
  for (const [code, of] of Map.groupBy(problems, (problem) => problem.code)) told.add("drover_problems", { code }, of.length);
  const apps = controlPlane.summaries().filter(({ space }) => sees(space));
  await tellApps(told, controlPlane, apps, usage);
  await tellRoutes(
    told,
    traffic.counted.filter(({ route }) => sees(route.space)),
    before,
  );
  tellMachines(told, controlPlane, usage);
  for (const one of ofApps) {
    const metrics = onlyNew ? one.metrics.filter(({ isKept }) => isKept !== true) : one.metrics;
    if (sees(one.instance.space)) tellOfApp(told, one, metrics, before);
  }
  const spaces = objects.spaces(store).filter(({ value }) => sees(value.name));
  if (escalator !== null) tellChecks(told, store, spaces, escalator);
  const counted = Map.groupBy([...traffic.counted, ...traffic.left], ({ machine }) => machine);
  return {
    edges: new Map(Array.from(traffic.answered, (machine) => [machine, new Set((counted.get(machine) ?? []).map(counterOf))])),
    instances: new Set(
      ofApps.flatMap(({ instance, metrics, why, isAsked }) => (why === null && (metrics.length > 0 || !isAsked) ? instance.id : [])),
    ),
  };
}

function counterOf({ counted: { route, release } }: Pick<RouteTraffic, "counted">): string {
  return `${route} ${release}`;
}

async function tellApps(
  told: FigureSink,
  controlPlane: Measured["controlPlane"],
  apps: readonly AppSummary[],
  usage: UsageView,
): Promise<void> {
  const used = new Map(usage.instances.map((one) => [one.id, one]));
  for (const [i, { space, name: app, health, active, wanted, ready }] of apps.entries()) {
    if (i % atOnce === atOnce - 1) await setImmediate();
    told.add("drover_app_health", { space, app, health }, 1);
    if (active !== null) told.add("drover_app_release", { space, app }, active);
    told.add("drover_app_instances_wanted", { space, app }, wanted);
    told.add("drover_app_instances_ready", { space, app }, ready);
    for (const instance of controlPlane.instances(space as SpaceName, app as AppName)) {
      const { id, process, release, machine } = instance;
      const labels = { space, app, process, release: String(release), instance_id: id, machine };
      told.add("drover_instance_ready", labels, Number(instance.ready));
      told.add("drover_instance_restarts_total", labels, instance.restarts);
      const use = used.get(id);
      if (use === undefined) continue;
      told.add("drover_instance_cpu_seconds_total", labels, use.cpuSeconds);
      told.add("drover_instance_memory_bytes", labels, use.memoryBytes);
      told.add("drover_instance_processes", labels, use.processes);
      if (use.disk === undefined) continue;
      told.add("drover_instance_disk_read_bytes_total", labels, use.disk.readBytes);
      told.add("drover_instance_disk_written_bytes_total", labels, use.disk.writtenBytes);
    }
  }
}

const boundsSeconds = latencyBoundsMs.map((ms) => ms / 1_000);
const classes = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

async function tellRoutes(told: FigureSink, traffic: readonly RouteTraffic[], before: Heard | null): Promise<void> {
  for (const [i, one] of traffic.entries()) {
    if (i % atOnce === atOnce - 1) await setImmediate();
    const { route, machine, counted } = one;
    const zeroAtMs = before?.edges.get(machine)?.has(counterOf(one)) === false ? before.atMs : null;
    const { space, app, process, place } = route;
    const labels = { space, app, process, route: place, release: String(counted.release), machine };
    for (const [at, name] of classes.entries())
      told.add("drover_route_requests_total", { ...labels, class: name }, counted.classes[at] ?? 0, zeroAtMs);
    const answered = counted.classes.reduce((sum, count) => sum + count, 0);
    told.add("drover_route_requests_total", { ...labels, class: "none" }, Math.max(0, counted.requests - answered), zeroAtMs);
    told.add("drover_route_errors_total", labels, counted.errors, zeroAtMs);
    told.add("drover_route_request_bytes_total", labels, counted.bytesIn, zeroAtMs);
    told.add("drover_route_response_bytes_total", labels, counted.bytesOut, zeroAtMs);
    const sumSeconds = counted.latencySumMs === undefined ? null : counted.latencySumMs / 1_000;
    told.histogram("drover_route_request_duration_seconds", labels, boundsSeconds, counted.latency, sumSeconds, zeroAtMs);
  }
}

/** @param news what of its figures is to be told */
function tellOfApp(
  told: FigureSink,
  { instance, metrics, isAsked, statsdLeftOut }: ToldMetrics,
  news: readonly AppMetric[],
  before: Heard | null,
): void {
  const { space, app, process, release, id, machine } = instance;
  const labels = { space, app, process, release: String(release), instance_id: id, machine };
  if (statsdLeftOut !== null) told.add("drover_statsd_left_out_total", labels, statsdLeftOut);
  if (isAsked) told.add("drover_scrape_up", labels, Number(metrics.length > 0));
  told.add(
    "drover_scrape_series",
    labels,
    metrics.reduce((sum, { samples }) => sum + samples.length, 0),
  );
  const zeroAtMs = before?.instances.has(id) === true ? before.atMs : null;
  for (const metric of news) told.ofApp(metric, labels, zeroAtMs);
}

function tellMachines(told: FigureSink, controlPlane: Measured["controlPlane"], usage: UsageView): void {
  for (const { id: machine, linked, cordoned, cores } of controlPlane.machines()) {
    told.add("drover_machine_linked", { machine }, Number(linked));
    told.add("drover_machine_cordoned", { machine }, Number(cordoned));
    told.add("drover_machine_cores", { machine }, cores);
  }
  for (const { machine, linked } of controlPlane.edges()) told.add("drover_edge_linked", { machine }, Number(linked));
  for (const { machine, cpuSeconds, load1, memory, disk, network, pressureSeconds, programs } of usage.machines) {
    for (const [mode, seconds] of Object.entries(cpuSeconds)) told.add("drover_machine_cpu_seconds_total", { machine, mode }, seconds);
    told.add("drover_machine_load1", { machine }, load1);
    told.add("drover_machine_memory_bytes", { machine }, memory.totalBytes);
    told.add("drover_machine_memory_available_bytes", { machine }, memory.availableBytes);
    told.add("drover_machine_disk_bytes", { machine }, disk.totalBytes);
    told.add("drover_machine_disk_available_bytes", { machine }, disk.availableBytes);
    told.add("drover_machine_network_received_bytes_total", { machine }, network.receivedBytes);
    told.add("drover_machine_network_sent_bytes_total", { machine }, network.sentBytes);
    for (const [resource, seconds] of Object.entries(pressureSeconds ?? {}))
      told.add("drover_machine_pressure_seconds_total", { machine, resource }, seconds);
    for (const [program, use] of Object.entries(programs)) {
      if (use === null) continue;
      told.add("drover_program_cpu_seconds_total", { machine, program }, use.cpuSeconds);
      told.add("drover_program_memory_bytes", { machine, program }, use.memoryBytes);
    }
  }
}

function tellChecks(told: FigureSink, store: Store, spaces: readonly Stored<Space>[], escalator: Escalator): void {
  for (const { value } of spaces) {
    const space = value.name;
    for (const { name: check, target, level, verdict } of viewChecks(escalator, space, escalator.nowMs()))
      if (verdict !== "unknown")
        told.add("drover_check_failing", { space, check, target, level: level ?? "" }, Number(verdict === "failing"));
    const open = ladderObjects
      .escalations(store, space)
      .map((stored) => viewEscalation(escalator, space, stored).state)
      .filter((state) => state !== "ended");
    for (const [state, of] of Map.groupBy(open, (one) => one)) told.add("drover_escalations_open", { space, state }, of.length);
  }
}
