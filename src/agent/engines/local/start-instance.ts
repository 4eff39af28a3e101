import { existsSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { failpoint } from "#host/failpoint.ts";
import { writeFileAtomic } from "#host/files.ts";
import { bindSocket, type ListeningSocket } from "#host/listening-socket.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import { parseWorkloadId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";
import type { Cgroup, Cgroups } from "./cgroups.ts";
import { type HeldInstance, type Run, toRecord } from "./held-instance.ts";
import type { Leases } from "./leases.ts";
import { describeOwner, listenersOn } from "./listeners.ts";
import type { OutputStore } from "./output.ts";
import type { PipeFollower } from "./pipe-follower.ts";
import { isPortFree, type Ports } from "./ports.ts";
import { createProcessGroup } from "./process-group.ts";
import type { InstanceFolders, Records } from "./records.ts";
import { adopt, firstInherited, type InstanceProcess, type LaunchedProcess, launch } from "./shim.ts";
import type { SparePipes } from "./spare-pipes.ts";
import { takeSpill } from "./spill.ts";
import { openStatsd, type StatsdPorts } from "./statsd-port.ts";
import { droverSpace, makeSurroundings, type SurroundingsOptions } from "./surroundings.ts";

/** What starting and adopting instances needs of the machine. */
export interface Machinery {
  readonly bootId: string;
  /** The parent's script, where every app's user can read it. */
  readonly script: string;
  readonly surroundings: SurroundingsOptions;
  readonly records: Records;
  readonly ports: Ports;
  readonly cgroups: Cgroups;
  readonly leases: Leases;
  /** Null: figures by statsd are not read. */
  readonly statsd: StatsdPorts | null;
  readonly sparePipes: SparePipes;
  readonly pipes: PipeFollower;
  readonly output: OutputStore;
  readonly clock: Clock;
}

/** When the machine runs out of memory, apps go before Drover's own programs and the system's. */
const appOomScore = 300;

/** The group's name below our own folder of groups: one level, so that nothing has to be made above it. */
export function cgroupName(held: Pick<HeldInstance, "id">): string {
  return held.id.replaceAll("/", "_");
}

/**
 * Starts an instance's process. Everything that may fail comes before the user's command runs, and the record of the process is on disk by then:
 * whatever instruction the agent dies at, the process is either known or does not exist.
 * @throws {DroverError} PORT_IN_USE, EXEC_FAILED
 */
export async function startInstance(machinery: Machinery, held: HeldInstance, workload: Workload, signal: AbortSignal): Promise<Run> {
  const { records, clock, pipes } = machinery;
  const folders = records.folders(held.id);
  await nameProgram(folders, workload);
  await openStatsd(machinery, held, workload);
  const { process, cgroup } = (await startAgain(held, workload)) ?? (await startAnew(machinery, held, workload, folders, signal));
  try {
    failpoint("instance.launch.after");
    if (!isOwnProgram(workload)) writeFileSync(`/proc/${process.main.pid}/oom_score_adj`, String(appOomScore));
    held.startedAtMs = clock.nowMs();
    held.identity = { bootId: machinery.bootId, parent: process.parent, main: process.main };
    // A task must not run twice, not even after a power cut; a service may be started again.
    await records.save(toRecord(held), workload.kind === "task");
    failpoint("instance.recorded.after");
    pipes.follow(held.id, folders.pipe);
    // On a machine that is busy, a start can take longer than what was left of the lease when it was decided.
    if (!machinery.leases.covers(workload))
      throw new DroverError("LEASE_OVER", "its lease ended while it was being started", {
        hint: "It starts once the server says that it may.",
      });
  } catch (error) {
    // Closing the channel before "go" ends the parent, and with it what waits at the gate.
    process.detach();
    throw error;
  }
  process.go();
  failpoint("instance.go.after");
  return runOf(machinery, held, workload, process, cgroup);
}

type Launched = Pick<Run, "cgroup"> & { readonly process: LaunchedProcess };

/** By the parent of the last run, which has all that the same order needs; null if the order or the port is another one now, or it was handed sockets. */
async function startAgain(held: HeldInstance, workload: Workload): Promise<Launched | null> {
  const { last } = held;
  if (last === null) return null;
  held.last = null;
  const isSame = last.workload === workload && workload.own === undefined && (held.port === null || (await isPortFree(held.port)));
  const process = isSame ? await last.process.again() : null;
  if (process === null) await last.process.release();
  return process === null ? null : { process, cgroup: last.cgroup };
}

async function startAnew(
  machinery: Machinery,
  held: HeldInstance,
  workload: Workload,
  folders: InstanceFolders,
  signal: AbortSignal,
): Promise<Launched> {
  held.port = await choosePort(machinery, held, workload);
  const { cwd, env, uid } = await makeSurroundings(machinery.surroundings, workload, held, folders);
  held.uid = uid;
  if (!existsSync(folders.pipe)) await machinery.sparePipes.take(folders.pipe, uid);
  const cgroup = await openCgroup(machinery, held, workload);
  const argv = "shell" in workload.command ? ["/bin/sh", "-c", workload.command.shell] : workload.command.argv;
  failpoint("instance.launch.before");
  const confine = async (pid: number) => cgroup?.add(pid);
  using sockets = await openSockets(workload);
  const spec = {
    script: machinery.script,
    io: folders.io,
    exitFile: folders.exit,
    argv,
    env: workload.own === undefined ? env : { ...env, DROVER_SOCKETS: sockets.names },
    cwd,
    uid,
    files: sockets.files,
    confine,
  };
  return { process: await launch(spec, machinery.clock, signal), cgroup };
}

/** Writes down, for one of Drover's own programs that can go on as another, which one it is to be. */
export async function nameProgram(folders: InstanceFolders, { own }: Workload): Promise<void> {
  if (own === undefined) return;
  await mkdir(folders.temporary, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(folders.temporary, "program"), `${own.program}\n`, { durable: false });
}

/** The sockets that are handed to one of Drover's own programs; once it is launched, it alone holds them and they are closed here. */
async function openSockets({ own }: Workload): Promise<Disposable & { readonly files: readonly number[]; readonly names: string }> {
  const opened: { readonly name: string; readonly socket: ListeningSocket }[] = [];
  const dispose = () => {
    for (const { socket } of opened) socket.close();
  };
  try {
    for (const { name, isOptional = false, ...address } of own?.sockets ?? []) {
      const socket = await bindSocket(address).catch((error: unknown) => {
        // The program tries it again itself, and says why it cannot.
        if (isOptional) return null;
        throw error;
      });
      if (socket !== null) opened.push({ name, socket });
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    files: opened.map(({ socket }) => socket.fd),
    names: opened.map(({ name }, i) => `${name}=${firstInherited + i}`).join(","),
    [Symbol.dispose]: dispose,
  };
}

/** Takes over what an earlier agent started; null if it has ended without leaving a trace. */
export async function adoptInstance(
  machinery: Machinery,
  held: HeldInstance,
  workload: Workload,
  signal: AbortSignal,
): Promise<Run | null> {
  const { identity } = held;
  if (identity === null || identity.bootId !== machinery.bootId) return null;
  const folders = machinery.records.folders(held.id);
  const process = await adopt(identity, folders.io, folders.exit, machinery.clock, signal);
  if (process === null) return null;
  const cgroup = await openCgroup(machinery, held, workload);
  await openStatsd(machinery, held, workload);
  await takeSpill(folders.root, held.id, machinery.output, signal);
  machinery.pipes.follow(held.id, folders.pipe);
  return runOf(machinery, held, workload, process, cgroup);
}

function runOf(
  { records, clock }: Machinery,
  held: HeldInstance,
  workload: Workload,
  process: InstanceProcess,
  cgroup: Cgroup | null,
): Run {
  const { parent, main } = process;
  const group = createProcessGroup({ instance: held.id, temporary: records.folders(held.id).temporary, parent, main, cgroup, clock });
  return { workload, process, group, cgroup, stop: new AbortController() };
}

/** Drover's own programs run without limits: what kills them first when memory is short would take the supervision along. */
async function openCgroup({ cgroups }: Machinery, held: HeldInstance, workload: Workload): Promise<Cgroup | null> {
  if (cgroups.support.members === null && Object.values(cgroups.support.limits).every((base) => base === null)) return null;
  return cgroups.open(cgroupName(held), isOwnProgram(workload) ? { cpu: null, memoryBytes: null, pids: 4_096 } : workload.resources);
}

/** Whether it is the server or the edge that this agent looks after. */
export function isOwnProgram(workload: Workload): boolean {
  return parseWorkloadId(workload.id).space === droverSpace;
}

/** The port it had, if that is still free, so that routes to it stay right; else another. */
async function choosePort({ ports }: Machinery, held: HeldInstance, workload: Workload): Promise<number | null> {
  if (workload.port === "none") return null;
  if (workload.port === "auto") {
    if (held.port !== null && (await isPortFree(held.port))) return held.port;
    return ports.assign(held.id);
  }
  const port = workload.port;
  // What is handed its sockets listens at one address: whether that is free shows when they are opened.
  if (workload.own !== undefined || (await isPortFree(port))) return port;
  const [holder] = listenersOn(port) ?? [];
  const owner = holder === undefined ? null : await describeOwner(holder.inode);
  throw new DroverError("PORT_IN_USE", `port ${port} is taken by ${owner ?? "another process"}`, {
    hint: "Leave out `port` to get a free one in $PORT, or stop what has it.",
  });
}
