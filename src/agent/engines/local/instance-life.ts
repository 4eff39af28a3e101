import { failpoint } from "#host/failpoint.ts";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { NoticeLevel } from "#model/log-level.ts";
import { formatSize } from "#model/quantities.ts";
import type { InstanceState, Reason, Workload } from "#model/workload.ts";
import { createBackground } from "../../background.ts";
import { createGate } from "../../probe/gate.ts";
import { runProber } from "../../probe/prober.ts";
import { runCommandProbe } from "./command-probe.ts";
import { describeExit, exitOf } from "./exit-status.ts";
import { type HeldInstance, type Run, toRecord } from "./held-instance.ts";
import { createLook } from "./looks.ts";
import type { OutputStore } from "./output.ts";
import type { Afterwards } from "./plan-instances.ts";
import { isAlive, sendSignal } from "./proc.ts";
import { healthyAfterMs, restartDelayMs } from "./restart-policy.ts";
import { adoptInstance, cgroupName, isOwnProgram, type Machinery, nameProgram, startInstance } from "./start-instance.ts";
import { statsdOwner } from "./statsd-port.ts";

export interface InstanceLifeOptions {
  readonly machinery: Machinery;
  readonly output: OutputStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Something about the instance changed: others are told, and its workload is planned anew. */
  readonly changed: (held: HeldInstance) => void;
  /** Aborted when this agent lets go of everything; processes live on. */
  readonly signal: AbortSignal;
}

/** How many starts are under way at once: enough to keep every core busy, few enough that each gets on. */
const startsAtOnce = 16;
/** How many probes look at once, so that hundreds of instances that start together do not starve the supervision. */
const looksAtOnce = 64;
/** How often a group under the old kind of memory limit is asked whether the kernel killed one of its processes. */
const memoryPollMs = 1_000;
/** Where a probe states no rule of its own. */
const defaultRule = { everyMs: 5_000, failures: 3 } as const;

/** Carries single instances through their life. Decides nothing: what is to be done comes from the planner. */
export interface InstanceLife {
  start(held: HeldInstance, workload: Workload): void;
  /** Takes over what an earlier agent started, or finds out how it ended. */
  adopt(held: HeldInstance, workload: Workload): Promise<void>;
  /** Tells its main process to go on with the program of the order. */
  reload(held: HeldInstance, workload: Workload): void;
  drain(held: HeldInstance, afterwards: Afterwards): void;
  stop(held: HeldInstance, afterwards: Afterwards, signal: Workload["stop"]["signal"], reason: Reason): void;
  kill(held: HeldInstance): void;
  /** Ends the parent that waits for an instance to be started once more. */
  letGo(held: HeldInstance): Promise<void>;
  /** Removes all that is left of an instance that has ended. */
  forget(held: HeldInstance): Promise<void>;
  /** Resolves when the ends that are being worked on are dealt with. */
  settle(): Promise<void>;
}

/** Whether it is to end. */
function isPlanned({ state, dead }: HeldInstance): boolean {
  return (state === "stopping" || state === "draining") && !dead;
}

export function createInstanceLife(options: InstanceLifeOptions): InstanceLife {
  const { machinery, output, clock, random, log, changed, signal } = options;
  const { records, ports, pipes, cgroups, statsd } = machinery;
  const starts = createGate(startsAtOnce);
  const looks = createGate(looksAtOnce);
  const background = createBackground(log, signal);
  const goOn = (held: HeldInstance, what: string, task: () => Promise<void>) => background.goOn(what, task, { instance: held.id });

  const enter = (held: HeldInstance, state: InstanceState, reason: Reason | null) => {
    held.state = state;
    held.enteredAtMs = clock.monotonicMs();
    held.sinceMs = clock.nowMs();
    held.reason = reason;
    if (state !== "running") {
      held.healthySinceMs = null;
      // A draining instance still serves what it has, but takes nothing new.
      held.ready = false;
    }
    changed(held);
  };

  const tell = (held: HeldInstance, text: string, level: NoticeLevel = "warn") =>
    goOn(held, "notice not kept", () => output.notice(held.id, text, level));

  /** @param wasReady whether it was ready when an earlier agent last looked: its traffic must not stop because the agent was away. */
  const begin = (held: HeldInstance, workload: Workload, run: Run, wasReady: boolean) => {
    held.run = run;
    held.wasReady = wasReady;
    held.ready = wasReady;
    held.healthySinceMs = wasReady ? clock.monotonicMs() : null;
    enter(held, "running", { code: "STARTING", message: "was started and is not ready yet" });
    log.info("instance running", { instance: held.id, pid: run.process.main.pid, port: held.port });
    goOn(held, "probes failed", () => probe(held, workload, run));
    goOn(held, "end of an instance not dealt with", async () => {
      const status = await run.process.ended;
      if (!signal.aborted) await ended(held, workload, run, status);
    });
    if (workload.resources.memoryBytes !== null) goOn(held, "memory not watched", () => watchMemory(held, run));
  };

  const probe = async (held: HeldInstance, workload: Workload, run: Run) => {
    const until = AbortSignal.any([signal, run.stop.signal]);
    const runCommand = (command: string, timeoutMs: number, stop: AbortSignal) =>
      runCommandProbe({ machinery, held, workload, command, timeoutMs, clock }, stop);
    const lookOptions = {
      port: held.port,
      isPrivate: workload.isPrivate === true,
      mainPid: run.process.main.pid,
      pids: run.group.pids,
      runCommand,
      clock,
    };
    const ready = createLook(workload.ready, lookOptions);
    const alive = workload.alive === null ? null : createLook(workload.alive, lookOptions);
    await runProber(
      {
        isReady: held.ready,
        ready: (stop) => looks.run(() => ready(stop)),
        readyRule: workload.ready ?? { everyMs: defaultRule.everyMs, failures: 1 },
        alive: alive === null ? null : (stop) => looks.run(() => alive(stop)),
        aliveRule: workload.alive ?? defaultRule,
        onReady: (isReady, reason) => onReady(held, run, isReady, reason),
        onDead: (reason) => {
          if (held.run !== run || held.state !== "running") return;
          held.dead = true;
          held.reason = { code: "NOT_ALIVE", message: `is not alive: ${reason.message}` };
          tell(held, `restarting: ${held.reason.message}`);
          changed(held);
        },
        clock,
        random,
      },
      until,
    ).catch((error: unknown) => {
      if (!until.aborted) throw error;
    });
  };

  const onReady = (held: HeldInstance, run: Run, isReady: boolean, reason: Reason | null) => {
    if (held.run !== run || held.state !== "running") return;
    if (reason?.code === "PORT_TAKEN" && !held.wasReady) return moveToAnotherPort(held, reason);
    if (held.ready === isReady && held.reason?.message === reason?.message) return;
    if (held.ready !== isReady) held.sinceMs = clock.nowMs();
    held.ready = isReady;
    held.reason = reason;
    held.wasReady ||= isReady;
    held.healthySinceMs = isReady ? (held.healthySinceMs ?? clock.monotonicMs()) : null;
    changed(held);
    // For the next agent; that it is a moment behind does no harm.
    if (isReady) goOn(held, "readiness not noted", () => records.save(toRecord(held), false));
  };

  /** A stranger took the port between our choice and the app's bind: another port, at once, and nothing is sent to the stranger. */
  const moveToAnotherPort = (held: HeldInstance, reason: Reason) => {
    held.reason = reason;
    held.restartAsked = true;
    tell(held, `restarting on another port: ${reason.message}`);
    changed(held);
  };

  const watchMemory = async (held: HeldInstance, run: Run) => {
    const until = AbortSignal.any([signal, run.stop.signal]);
    while (!until.aborted) {
      await pause(clock, memoryPollMs, until);
      const memory = until.aborted ? null : await run.cgroup?.memory();
      if (!memory || memory.killed <= held.memoryKills) continue;
      // What is left of a group that lost one of its processes is in no state to go on.
      await run.group.kill(until);
    }
  };

  const ended = async (held: HeldInstance, workload: Workload, run: Run, status: number | null) => {
    run.stop.abort(new Error("the instance ended"));
    held.ready = false;
    failpoint("instance.ended.before");
    while (!(await run.group.kill(signal))) {
      held.reason = { code: "STUCK_IN_KERNEL", message: "has processes that wait inside the kernel and cannot be killed" };
      changed(held);
    }
    const memory = (await run.cgroup?.memory()) ?? null;
    const outOfMemory = memory !== null && memory.killed > held.memoryKills;
    const exit = exitOf(status, outOfMemory, clock.nowMs());
    if (memory !== null) held.memoryKills = memory.killed;
    held.run = null;
    held.last = run;
    held.exit = exit;
    held.identity = null;
    const words = outOfMemory
      ? `ran out of memory (limit ${formatSize(workload.resources.memoryBytes ?? 0)}, peak ${formatSize(memory?.peakBytes ?? 0)})`
      : describeExit(exit);
    log.info("instance ended", { instance: held.id, exit_code: exit.code, exit_signal: exit.signal, out_of_memory: outOfMemory });
    const isWell = !outOfMemory && (isPlanned(held) || (workload.kind === "task" && exit.code === 0));
    tell(held, words, isWell ? "info" : "warn");
    await afterEnd(held, workload, { code: outOfMemory ? "OUT_OF_MEMORY" : "EXITED", message: words });
    failpoint("instance.ended.after");
  };

  const afterEnd = async (held: HeldInstance, workload: Workload, reason: Reason) => {
    const planned = isPlanned(held);
    const stays = workload.kind === "task" || (planned && held.afterwards === "stop");
    if (stays) {
      await letGo(held);
      held.done = true;
      const why = workload.kind === "task" && held.reason?.code === "TIMED_OUT" ? held.reason : reason;
      await records.save(toRecord(held), workload.kind === "task");
      return enter(held, "exited", why);
    }
    if (planned) {
      held.exit = null;
      held.crashes = 0;
      held.retryAtMs = clock.monotonicMs();
    } else {
      const wasHealthy = held.healthySinceMs !== null && clock.monotonicMs() - held.healthySinceMs >= healthyAfterMs;
      backOff(held, workload, wasHealthy ? 1 : held.crashes + 1);
    }
    held.restarts++;
    enter(held, "backoff", planned ? { code: "RESTARTING", message: "is being restarted" } : reason);
  };

  /** The parent of the last run is not needed any more, and its end is the end of its pipe: nothing is to follow that. */
  const letGo = async (held: HeldInstance) => {
    const { last } = held;
    held.last = null;
    await Promise.all([pipes.finish(held.id), last?.process.release()]);
  };

  const backOff = (held: HeldInstance, workload: Workload, crashes: number) => {
    held.crashes = crashes;
    held.retryAtMs = clock.monotonicMs() + restartDelayMs(crashes, random(), isOwnProgram(workload));
  };

  const startNow = async (held: HeldInstance, workload: Workload) => {
    try {
      const run = await starts.run(() => startInstance(machinery, held, workload, signal));
      begin(held, workload, run, false);
    } catch (error) {
      if (signal.aborted) return;
      log.warn("instance not started", { instance: held.id, ...errorFields(error) });
      const reason: Reason =
        error instanceof DroverError
          ? {
              code: error.code,
              message: [error.message, error.cause instanceof Error ? error.cause.message : ""].filter(Boolean).join(": "),
            }
          : { code: "INTERNAL", message: error instanceof Error ? error.message : String(error) };
      // What could not be started at all is not tried again at once: nothing about it has changed.
      backOff(held, workload, Math.max(2, held.crashes + 1));
      enter(held, "backoff", reason);
    }
  };

  return {
    start: (held, workload) => {
      held.restartToken = workload.restartToken;
      held.afterwards = "restart";
      held.dead = false;
      held.restartAsked = false;
      held.drained = false;
      held.killedAtMs = null;
      enter(held, "starting", held.reason ?? { code: "STARTING", message: "is being started" });
      goOn(held, "instance not started", () => startNow(held, workload));
    },
    adopt: async (held, workload) => {
      const run = await adoptInstance(machinery, held, workload, signal);
      if (run !== null) {
        log.info("instance adopted", { instance: held.id, pid: run.process.main.pid });
        return begin(held, workload, run, held.ready);
      }
      const wasRunning = held.identity !== null;
      held.identity = null;
      if (wasRunning) held.exit = exitOf(null, false, clock.nowMs());
      if (workload.kind === "task" && (wasRunning || held.done)) {
        held.done = true;
        await records.save(toRecord(held), true);
        return enter(held, "exited", { code: "EXITED", message: describeExit(held.exit ?? exitOf(null, false, clock.nowMs())) });
      }
      if (wasRunning) held.restarts++;
      held.retryAtMs = clock.monotonicMs();
      enter(held, "backoff", { code: "STARTING", message: "is to be started again" });
    },
    reload: (held, workload) => {
      const { run } = held;
      held.restartToken = workload.restartToken;
      held.restartAsked = false;
      if (run === null) return;
      goOn(held, "program not replaced", async () => {
        await nameProgram(records.folders(held.id), workload);
        if (await isAlive(run.process.main)) sendSignal(run.process.main.pid, "SIGHUP");
        // An agent that dies before this is followed by one that tells it once more, which does no harm.
        await records.save(toRecord(held), false);
      });
      changed(held);
    },
    drain: (held, afterwards) => {
      held.afterwards = afterwards;
      enter(held, "draining", { code: "DRAINING", message: "takes no new requests and finishes what it has" });
    },
    stop: (held, afterwards, name, reason) => {
      held.afterwards = afterwards;
      const { run } = held;
      enter(held, "stopping", reason);
      failpoint("instance.signal.before");
      if (run !== null) goOn(held, "instance not signalled", () => run.group.signal(name));
    },
    kill: (held) => {
      held.killedAtMs = clock.monotonicMs();
      const { run } = held;
      if (run === null) return;
      tell(held, "killed: it did not end within its grace time");
      goOn(held, "instance not killed", async () => {
        if (await run.group.kill(signal)) return;
        held.reason = { code: "STUCK_IN_KERNEL", message: "has processes that wait inside the kernel and cannot be killed" };
        changed(held);
      });
    },
    letGo,
    forget: async (held) => {
      await letGo(held);
      await records.discard(held.id);
      failpoint("instance.forget.after");
      await cgroups.find(cgroupName(held)).remove();
      await statsd?.close(held.id);
      ports.release(held.id);
      ports.release(statsdOwner(held.id));
    },
    settle: background.settle,
  };
}
