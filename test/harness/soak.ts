import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { killIfThere, textOfProcess } from "#host/testing/processes.ts";
import { nodeProcessesOf, root, type TestDrover } from "./drover.ts";

export interface SoakTarget {
  readonly port: number;
  readonly host: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Whether connections are used again. */
  readonly isKept: boolean;
}

export interface Failure {
  readonly what: string;
  /** Milliseconds of the machine's clock. */
  readonly fromMs: number;
  readonly toMs: number;
  /** The connection was cut without an answer. */
  readonly isCut: boolean;
}

export interface SoakOptions {
  readonly durationMs: number;
  readonly perSecond: number;
  /** Between two of the things that are done to it, on average. */
  readonly everyMs: number;
  /** Of the whole time; after it the edge and one worker stay, so that their memory can be compared. */
  readonly replaceEdgeFor: number;
  readonly random: () => number;
  /** Told every so often, with the memory of what stays. */
  readonly onLook?: (look: MemoryLook) => void;
}

export interface MemoryLook {
  readonly atMs: number;
  readonly edgeMiB: number;
  /** Of the oldest worker. */
  readonly workerMiB: number;
}

export interface SoakReport {
  readonly sent: number;
  readonly answered: number;
  /** That a correct proxy would have saved. */
  readonly unsaved: readonly string[];
  /** In flight on a worker that was killed. */
  readonly lost: number;
  /** How often each was done. */
  readonly done: Readonly<Record<string, number>>;
}

const run = `exec node ${join(root, "test/fixtures/web.mjs")}`;
const base = "/v1/spaces/default/apps";
/** A cut reaches the client within so much of the kill, also where the client has just sent on a connection that had been cut, and is busy itself. */
const cutWithinMs = 500;
const lookEveryMs = 5_000;

/**
 * Does at random what happens to a Drover in a bad year, all under load: instances and workers die (kill -9), the edge is replaced or dies, apps
 * are scaled, restarted and put under maintenance. Of `mortal` instances are killed, so it is only asked what can be asked twice.
 */
export async function soak(drover: TestDrover, options: SoakOptions, signal: AbortSignal): Promise<SoakReport> {
  const { random, durationMs } = options;
  await drover.apply(
    `app: mortal\nprocesses: { web: { run: ${run}, instances: 3, address: always, ready: { http: / } } }\nenv: { SLOW_MS: "150" }\n`,
  );
  await drover.apply(`app: steady\nprocesses: { web: { run: ${run}, instances: 2, ready: { http: / } } }\nenv: { SLOW_MS: "150" }\n`);
  await drover.apply(`app: noise\nrun: ${run}\n`);
  const { processes } = JSON.parse((await drover.api("GET", `${base}/mortal`)).body);
  const [edge, service] = [drover.edgePort, processes[0].servicePort as number];
  const [mortal, steady] = ["mortal.default.localhost", "steady.default.localhost"];
  const targets = [true, false].flatMap((isKept): SoakTarget[] => [
    { port: edge, host: mortal, method: "GET", path: "/", isKept },
    { port: edge, host: mortal, method: "GET", path: "/slow", isKept },
    { port: edge, host: steady, method: "POST", path: "/", isKept },
    { port: edge, host: steady, method: "GET", path: "/slow", isKept },
    { port: service, host: "mortal", method: "GET", path: "/", isKept },
  ]);
  const client = fork(join(import.meta.dirname, "soak-client.ts"), [JSON.stringify({ targets, perSecond: options.perSecond })], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: [],
  });
  const deaths: Deaths = { workersMs: [], instanceMs: 0, edgeMs: 0 };
  const done: Record<string, number> = {};
  const running: Promise<unknown>[] = [];
  try {
    await once(client, "message");
    const startedMs = performance.now();
    let lookedMs = startedMs;
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - startedMs) {
      signal.throwIfAborted();
      const kinds = Object.entries(actions).filter(([, { replaces }]) => !replaces || elapsedMs < options.replaceEdgeFor * durationMs);
      const [name, { act }] = kinds[Math.floor(random() * kinds.length)] as (typeof kinds)[number];
      const began = act(drover, random, deaths).then((isDone) => {
        if (isDone) done[name] = (done[name] ?? 0) + 1;
      });
      running.push(began);
      // Half of what is done overlaps with the next.
      if (random() < 0.5) await began;
      await delay(random() * 2 * options.everyMs, undefined, { signal });
      if (options.onLook === undefined || performance.now() - lookedMs < lookEveryMs) continue;
      lookedMs = performance.now();
      const found = await memory(drover);
      if (found !== null) options.onLook({ atMs: lookedMs - startedMs, ...found });
    }
    await Promise.all(running);
    client.send("stop");
    const [{ sent, answered, failures }] = (await once(client, "message")) as [
      { readonly sent: number; readonly answered: number; readonly failures: readonly Failure[] },
    ];
    const isLost = ({ isCut, fromMs, toMs }: Failure) =>
      isCut && deaths.workersMs.some((atMs) => fromMs <= atMs + cutWithinMs && toMs >= atMs && toMs <= atMs + 4 * cutWithinMs);
    const unsaved = failures.filter((failure) => !isLost(failure));
    return {
      sent,
      answered,
      unsaved: unsaved.map(({ what, fromMs, toMs }) => `${what}, after ${toMs - fromMs} ms, at ${new Date(toMs).toISOString()}`),
      lost: failures.length - unsaved.length,
      done,
    };
  } finally {
    await Promise.allSettled(running);
    client.kill("SIGKILL");
  }
}

/** When by the machine's clock. */
interface Deaths {
  readonly workersMs: number[];
  instanceMs: number;
  edgeMs: number;
}

/** An edge that dies more often than three times, each within a minute of the one before, is given up and started anew with all its sockets. */
const edgeDeathEveryMs = 61_000;
/** The table has heard of a death, and of who came in its place, long before. */
const instanceDeathEveryMs = 3_000;

type Act = (drover: TestDrover, random: () => number, deaths: Deaths) => Promise<boolean>;

/** What is done, and whether edges are replaced by it. */
const actions: Readonly<Record<string, { readonly act: Act; readonly replaces: boolean }>> = {
  "instance killed": { act: killInstance, replaces: false },
  "worker killed": { act: killWorker, replaces: false },
  scaled: { act: scale, replaces: false },
  restarted: { act: (drover, random) => change(drover, random() < 0.5 ? "mortal" : "steady", "restart", {}), replaces: false },
  "table changed": { act: changeTable, replaces: false },
  "edge replaced": { act: replaceEdge, replaces: true },
  "edge killed": { act: killEdge, replaces: true },
};

async function change(drover: TestDrover, app: string, verb: string, body: unknown): Promise<boolean> {
  const { status } = await drover.api("POST", `${base}/${app}/${verb}`, { body });
  // Another change of the app is under way: a person would be told the same.
  return status < 300;
}

/** Only while others take its requests: nobody can save those of an app that is gone. */
async function killInstance(drover: TestDrover, random: () => number, deaths: Deaths): Promise<boolean> {
  if (Date.now() - deaths.instanceMs < instanceDeathEveryMs) return false;
  const [routes, app] = await Promise.all(
    ["/v1/routes?space=default&app=mortal", `${base}/mortal`].map(async (path) => JSON.parse((await drover.api("GET", path)).body)),
  );
  const inTable = routes.routes.map(
    (route: { readonly targets: readonly { readonly endpoints: readonly { readonly instance: string }[] }[] }) =>
      route.targets.flatMap(({ endpoints }) => endpoints.map(({ instance }) => instance)),
  ) as readonly (readonly string[])[];
  const isPlenty = app.health === "ready" && routes.routes.every(({ inForce }: { readonly inForce: boolean }) => inForce);
  const [ids = []] = inTable;
  const id = ids[Math.floor(random() * ids.length)];
  const pid = app.instances.find((one: { readonly id: string }) => one.id === id)?.pid ?? null;
  if (!isPlenty || inTable.some((some) => some.length < 2) || pid === null) return false;
  deaths.instanceMs = Date.now();
  return killIfThere(pid);
}

/** Never the oldest: that one's memory is looked at over time. */
async function killWorker(drover: TestDrover, random: () => number, deaths: Deaths): Promise<boolean> {
  const [, ...others] = await byAge(await nodeProcessesOf(drover.home, "src/edge/workers/main.ts"));
  const pid = others[Math.floor(random() * others.length)];
  if (pid === undefined) return false;
  deaths.workersMs.push(Date.now());
  return killIfThere(pid);
}

async function killEdge(drover: TestDrover, _random: () => number, deaths: Deaths): Promise<boolean> {
  if (Date.now() - deaths.edgeMs < edgeDeathEveryMs) return false;
  deaths.edgeMs = Date.now();
  const pid = (await byAge(await nodeProcessesOf(drover.home, "src/edge/main.ts"))).at(-1);
  if (pid === undefined || !killIfThere(pid)) return false;
  await drover.ready();
  return true;
}

async function replaceEdge(drover: TestDrover): Promise<boolean> {
  const { body } = await drover.api("GET", "/v1/status");
  const [edge] = (JSON.parse(body) as { readonly edges: readonly { readonly machine: string; readonly linked: boolean }[] }).edges;
  if (edge?.linked !== true) return false;
  return (await drover.api("POST", `/v1/edges/${edge.machine}/restart`, { body: {} })).status === 200;
}

/** From two to four instances, since one of them may be killed. */
function scale(drover: TestDrover, random: () => number): Promise<boolean> {
  const app = random() < 0.5 ? "mortal" : "steady";
  return change(drover, app, "scale", { instances: { web: 2 + Math.floor(random() * 3) } });
}

async function changeTable(drover: TestDrover): Promise<boolean> {
  for (const on of [true, false, true, false]) if (!(await change(drover, "noise", "maintenance", { on }))) return false;
  return true;
}

/** The oldest first. */
async function byAge(pids: readonly number[]): Promise<readonly number[]> {
  const started = await Promise.all(
    pids.map(async (pid) => {
      const stat = await textOfProcess(pid, "stat");
      return { pid, ticks: Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? Number.POSITIVE_INFINITY) };
    }),
  );
  return started.sort((a, b) => a.ticks - b.ticks).map(({ pid }) => pid);
}

/** Null if one of the two ended meanwhile. */
async function memory(drover: TestDrover): Promise<Omit<MemoryLook, "atMs"> | null> {
  const ofOldest = async (program: string) => {
    const [pid] = await byAge(await nodeProcessesOf(drover.home, program));
    const text = pid === undefined ? "" : await textOfProcess(pid, "smaps_rollup");
    if (text === "") return null;
    const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / 1_024;
    return field("Private_Clean") + field("Private_Dirty");
  };
  const [edgeMiB, workerMiB] = [await ofOldest("src/edge/main.ts"), await ofOldest("src/edge/workers/main.ts")];
  return edgeMiB === null || workerMiB === null ? null : { edgeMiB, workerMiB };
}
