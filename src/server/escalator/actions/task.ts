import { createHash } from "node:crypto";
import { type Clock, pause } from "#model/clock.ts";
import { describeExit } from "#model/exit.ts";
import { type ProcessName, type SpaceName, workloadId } from "#model/names.ts";
import { stepsApp, stepsAppId } from "#model/steps.ts";
import type { LogLine, Workload } from "#model/workload.ts";
import type { Subscribers } from "../../controllers/subscribers.ts";
import { digestOf, type WorkloadBody } from "../../controllers/workloads.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { KnownWorkload } from "../../fleet/known.ts";
import type { Store } from "../../store/store.ts";
import { type ActionEnd, StepKilled } from "../step-executor.ts";

/** Processes and threads that a level's command may have. */
const taskPids = 512;
/** Lines of its output that a step keeps: what a person reads first. All of them are in the logs for as long as the task is there. */
const linesKept = 40;
const linesTimeoutMs = 2_000;
const graceMs = 10_000;
/** Wait before an order is given again to an agent that did not take it. */
const againMs = 500;

export interface TaskOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly subscribers: Subscribers;
  readonly clock: Clock;
  /** Tasks that somebody in this process waits for. */
  readonly awaited: Set<Workload["id"]>;
}

export interface Task {
  /** Names the task for good: whoever asks for it again gets the one that ran. */
  readonly key: string;
  /** Where one key has several tasks: which of them. */
  readonly part?: string;
  readonly command: Workload["command"];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** Names of processes hold 40 letters: 96 bits say which key, 56 which of its parts. */
const [keyDigits, partDigits] = [24, 14];

function taskWorkloadId(space: SpaceName, key: string, part?: string) {
  const digits = (text: string, count: number) => createHash("sha256").update(text).digest("hex").slice(0, count);
  const name = `s${digits(key, keyDigits)}${part === undefined ? "" : `-${digits(part, partDigits)}`}` as ProcessName;
  return workloadId({ space, app: stepsApp, process: name, release: 0 });
}

/** Whether a workload is the task of this key, or one of its parts. */
export function isTaskOf({ id, name }: Pick<KnownWorkload, "id" | "name">, key: string): boolean {
  const own = taskWorkloadId(name.space, key);
  const process = own.slice(0, own.lastIndexOf("/"));
  return id === own || id.startsWith(`${process}-`);
}

/**
 * Runs a user's command as a task at an agent: with a user, limits, logs and an exit status of its own, and once, because the agent runs a task of
 * one name once whatever dies. When the signal aborts, everything of it is ended.
 */
export async function runTask(options: TaskOptions, space: SpaceName, task: Task, signal: AbortSignal): Promise<ActionEnd> {
  const { fleet, subscribers } = options;
  const id = taskWorkloadId(space, task.key, task.part);
  const follower = subscribers.follow(stepsAppId(space));
  const find = () => fleet.workloads(stepsAppId(space)).find((one) => one.id === id);
  options.awaited.add(id);
  try {
    for (;;) {
      if (signal.reason instanceof StepKilled) return await endTask(options, space, task.key);
      signal.throwIfAborted();
      const known = find();
      if (known === undefined) {
        if (!(await order(options, task, id, signal))) await pause(options.clock, againMs, signal);
        continue;
      }
      const exit = exitOf(known);
      if (exit !== null) {
        const output = await lastLines(options, known, signal);
        const isTimedOut = known.status?.reason?.code === "TIMED_OUT" || exit.reason === "TIMED_OUT";
        const words = exit.exit === null ? (known.status?.reason?.message ?? "") : describeExit(exit.exit);
        const code = exit.exit?.code ?? null;
        return {
          result: code === 0 ? "ok" : isTimedOut ? "timed-out" : "failed",
          exitCode: code,
          output: [output, code === 0 ? "" : words].filter((text) => text !== "").join("\n"),
        };
      }
      await follower.next(signal);
    }
  } finally {
    follower.close();
    options.awaited.delete(id);
  }
}

/** Ends the tasks of a key with all that they started, and forgets them. Resolves once nothing of them is left, or nobody can say. */
export async function endTask(options: TaskOptions, space: SpaceName, key: string): Promise<ActionEnd> {
  const { fleet, store, subscribers, clock } = options;
  const over = new AbortController();
  const patience = pause(clock, 2 * graceMs, over.signal).then(() => over.abort());
  const follower = subscribers.follow(stepsAppId(space));
  try {
    for (;;) {
      const own = fleet.workloads(stepsAppId(space)).filter((one) => isTaskOf(one, key) && fleet.agentOn(one.machine) !== null);
      if (own.length === 0 || over.signal.aborted) break;
      const known = own.find(({ isRemoving }) => !isRemoving);
      if (known !== undefined) {
        await removeTask({ store, fleet }, known, over.signal);
        continue;
      }
      await follower.next(over.signal);
    }
  } finally {
    follower.close();
    over.abort();
    await patience;
  }
  return { result: "killed", exitCode: null, output: "" };
}

export async function removeTask(
  { store, fleet }: Pick<TaskOptions, "store" | "fleet">,
  { id, machine, isRemoving }: KnownWorkload,
  signal: AbortSignal,
) {
  const agent = fleet.agentOn(machine);
  if (agent === null || isRemoving) return;
  const { revision } = store;
  await agent.remove(id, revision, signal);
  fleet.removed(agent, id, revision);
}

async function order({ fleet, store }: TaskOptions, task: Task, id: Workload["id"], signal: AbortSignal): Promise<boolean> {
  const { agent } = fleet;
  if (agent === null) return false;
  const body: WorkloadBody = {
    id,
    kind: "task",
    command: task.command,
    artifact: null,
    env: task.env,
    secrets: task.secrets ?? {},
    port: "none",
    ready: null,
    alive: null,
    resources: { cpu: null, memoryBytes: null, pids: taskPids },
    stop: { signal: "SIGTERM", drainMs: 0, graceMs },
    routed: false,
    volumes: [],
    restartToken: "",
    timeoutMs: task.timeoutMs,
  };
  const workload = { ...body, count: 1, revision: store.revision };
  await agent.apply(workload, signal);
  fleet.ordered(agent, workload, digestOf(body));
  return true;
}

function exitOf(known: KnownWorkload) {
  for (const instance of known.instances.values())
    if (instance.state === "exited") return { exit: instance.exit, reason: instance.reason?.code ?? null };
  return null;
}

async function lastLines({ fleet, clock }: TaskOptions, known: KnownWorkload, parent: AbortSignal): Promise<string> {
  const agent = fleet.agentOn(known.machine);
  const instance = [...known.instances.keys()][0];
  if (agent === null || instance === undefined) return "";
  const ended = new AbortController();
  const signal = AbortSignal.any([parent, ended.signal]);
  const late = pause(clock, linesTimeoutMs, signal).then(() => ended.abort());
  const lines: LogLine[] = [];
  try {
    const query = { prefix: instance, instance, tail: linesKept, sinceMs: null, follow: false, contains: null };
    for await (const line of agent.logs(query, signal)) if (line.source === "app") lines.push(line);
  } catch (error) {
    // The output is words beside the result; without it the result stands all the same.
    if (!signal.aborted && !(error instanceof Error)) throw error;
    lines.push({ instance, atMs: 0, sequence: 0, source: "drover", text: "(the output could not be fetched)" });
  } finally {
    ended.abort();
    await late;
  }
  return lines
    .slice(-linesKept)
    .map(({ text }) => text.slice(0, 1_000))
    .join("\n");
}
