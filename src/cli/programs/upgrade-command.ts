import { createReadStream } from "node:fs";
import { join } from "node:path";
import { type Distribution, packDistribution } from "#host/distribution.ts";
import type { StatusView } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import type { ProgramsOrder, ProgramsProgress, ProgramsState } from "#model/programs.ts";
import { took } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import { wholeNumber } from "../arguments.ts";
import type { Session } from "../command.ts";
import { table } from "../output/table.ts";
import { count } from "../output/time.ts";
import { confirm } from "../prompt.ts";
import { lookAtFleet } from "./fleet-look.ts";
import { type Fleet, moveMachine, nameOf } from "./move-machine.ts";
import { openSource } from "./source.ts";
import { type Candidate, planUpgrade, type Step, type UpgradePlan } from "./upgrade-plan.ts";

export interface UpgradeOptions {
  readonly from?: string;
  readonly atOnce: string;
  readonly back?: boolean;
}

/** More at once than this is no rolling upgrade any more. */
const mostAtOnce = 100;
/** Until everything is as it was before. It has to end before the machine goes back by itself, two minutes after it went over. */
const usualHealthyMs = 60_000;
const longestHealthyMs = 100_000;

/**
 * `drover upgrade` and `drover machine upgrade`.
 * @param names of machines; empty: all
 * @throws {DroverError} UPGRADE_FAILED, MACHINE_NOT_FOUND, USAGE, CONFIRMATION_NEEDED
 */
export async function upgradeCommand(session: Session, names: readonly string[], options: UpgradeOptions): Promise<number> {
  const { out, common, signal } = session;
  const atOnce = wholeNumber(options.atOnce, "--at-once", 1, mostAtOnce);
  if (options.back === true && options.from !== undefined)
    throw new DroverError("USAGE", "--back is given together with --from", { hint: "Each machine goes back to what it ran before." });
  const fleet = fleetOf(session);
  const candidates = await candidatesOf(session, fleet, names);
  const target = options.back === true ? null : await pack(session, options.from);
  if (target !== null) requireArchitecture(candidates, target);
  const plan = planUpgrade(candidates, target?.version ?? null);
  const steps = plan.groups.flat();
  tell(session, plan, target);
  const started = session.clock.monotonicMs();
  if (steps.length > 0) {
    await confirm(
      session,
      `${count(steps.length, "machine")} of ${await clusterName(session)} ${target === null ? "go back" : "go over to this"}`,
      null,
    );
    if (target !== null) await upload(session, target);
    await moveAll(session, fleet, plan, target === null ? null : { id: target.version, parts: target.parts.map(({ digest }) => digest) }, {
      atOnce,
      healthyMs: Math.min(common.timeoutMs ?? usualHealthyMs, longestHealthyMs),
    });
  }
  signal.throwIfAborted();
  const tookMs = Math.round(session.clock.monotonicMs() - started);
  const upgraded = steps.map(({ machine }) => machine);
  if (!out.json && plan.silent.length > 0)
    out.note(`left out: ${plan.silent.join(", ")}; when they answer, run the same command again, which does these alone`);
  if (out.json) out.value({ version: target?.version ?? null, upgraded, already: plan.done, silent: plan.silent, tookMs });
  else if (steps.length > 0)
    out.line(
      `${count(steps.length, "machine")} ${target === null ? "went back" : `went over to ${target.release} (${target.version})`} in ${took(tookMs)}`,
    );
  else
    out.line(
      plan.silent.length > 0
        ? "nothing was done"
        : target === null
          ? "no machine has anything to go back to"
          : "all machines run this already",
    );
  return 0;
}

function fleetOf({ api }: Session): Fleet {
  const at = (machine: string, ...more: readonly string[]) => apiPath(["machines", machine, "programs", ...more]);
  return {
    look: (signal) => lookAtFleet({ api }, signal),
    programs: (machine, signal) => api.call<ProgramsState>("GET", at(machine), signal),
    start: (machine, body, signal) => api.stream<ProgramsProgress>("POST", at(machine), signal, { body }),
    keep: async (machine, signal) => void (await api.call("POST", at(machine, "keep"), signal)),
    back: async (machine, signal) => void (await api.call("POST", at(machine, "back"), signal)),
  };
}

/** @throws {DroverError} MACHINE_NOT_FOUND */
async function candidatesOf({ api, signal }: Session, fleet: Fleet, names: readonly string[]): Promise<readonly Candidate[]> {
  const { machines } = await api.call<StatusView>("GET", apiPath(["status"]), signal);
  const unknown = names.find((name) => !machines.some(({ id }) => id === name));
  if (unknown !== undefined)
    throw new DroverError("MACHINE_NOT_FOUND", `there is no machine "${unknown}"`, {
      hint: '"drover machine ls" lists those that there are.',
    });
  const chosen = machines.filter(({ id }) => names.length === 0 || names.includes(id));
  return Promise.all(
    chosen.map(async ({ id, joined, linked }) => ({
      machine: id,
      hasServer: !joined,
      programs: linked ? await programsOf(fleet, id, signal) : null,
    })),
  );
}

/** Null where the machine cannot be asked, or is too old to say. */
async function programsOf(fleet: Fleet, machine: string, signal: AbortSignal): Promise<ProgramsState | null> {
  try {
    return await fleet.programs(machine, signal);
  } catch (error) {
    if (error instanceof DroverError && (error.code === "CLUSTER_UNREACHABLE" || error.code === "ROUTE_UNKNOWN")) return null;
    throw error;
  }
}

async function pack({ home, progress, signal }: Session, from: string | undefined): Promise<Distribution> {
  progress.show(["packing"]);
  await using source = await openSource(from, signal);
  const packed = await packDistribution(source.root, join(home.ssh, "parts"), signal);
  progress.clear();
  return packed;
}

/** @throws {DroverError} NOT_YET_SUPPORTED */
function requireArchitecture(candidates: readonly Candidate[], { architecture }: Distribution): void {
  const other = candidates.find(({ programs }) => programs !== null && programs.architecture !== architecture);
  if (other === undefined) return;
  throw new DroverError(
    "NOT_YET_SUPPORTED",
    `${other.machine} is ${other.programs?.architecture}, and the Drover to go to has programs for ${architecture} alone`,
    {
      hint: `Name the machines of ${architecture}, and run this command once more with a Drover that is installed for the others.`,
    },
  );
}

/** Which Drover this is about, for whoever is asked. */
async function clusterName({ api }: Session): Promise<string> {
  const address = await api.address();
  return address.kind === "url" ? address.url.host : "the Drover of this machine";
}

function tell({ out }: Session, { groups, done, silent }: UpgradePlan, target: Distribution | null): void {
  if (out.json) return;
  const to = ({ from }: Step) =>
    target === null ? (from.before?.id ?? "what was installed by hand") : `${target.release} (${target.version})`;
  const rows = [
    ...groups.flatMap((group) =>
      group.map((step) => [step.machine, nameOf(step.from), step.kind === "judge" ? "is there, and was not judged" : to(step)]),
    ),
    ...done.map((machine) => [machine, target === null ? "has nothing to go back to" : "runs it already", "-"]),
    ...silent.map((machine) => [machine, "does not answer, or is too old to be upgraded so", "left out"]),
  ];
  for (const line of table(["MACHINE", "RUNS", target === null ? "GOES BACK TO" : "GOES OVER TO"], rows, out.columns)) out.note(line);
}

/** Sends the server what it lacks, once for all machines. */
async function upload({ api, progress, signal }: Session, { parts }: Distribution): Promise<void> {
  const body = { parts: parts.map(({ digest }) => digest) };
  const { missing } = await api.call<{ readonly missing: readonly string[] }>("POST", apiPath(["programs", "missing"]), signal, { body });
  for (const part of parts.filter(({ digest }) => missing.includes(digest))) {
    progress.show([`sends ${(part.sizeBytes / 2 ** 20).toFixed(1)} MiB to the server`]);
    await api.call("PUT", apiPath(["programs", part.digest]), signal, {
      upload: createReadStream(part.file),
      headers: { "content-type": "application/octet-stream", "content-length": String(part.sizeBytes) },
    });
  }
}

/** Group by group, so many at once. What is under way when one fails is brought to its end; nothing new is begun. */
async function moveAll(
  { progress, clock, signal }: Session,
  fleet: Fleet,
  { groups }: UpgradePlan,
  order: ProgramsOrder | null,
  { atOnce, healthyMs }: { readonly atOnce: number; readonly healthyMs: number },
): Promise<void> {
  const failures: unknown[] = [];
  const underWay = new Map<string, string>();
  const show = () => progress.show([...underWay].map(([machine, text]) => `${machine}  ${text}`));
  const move = async (step: Step) => {
    const startedMs = clock.monotonicMs();
    const stage = (text: string) => {
      if (underWay.get(step.machine) === text) return;
      underWay.set(step.machine, text);
      show();
    };
    try {
      await moveMachine(step, { fleet, clock, order, healthyMs, stage }, signal);
      progress.note(`${step.machine} is as before, ${took(clock.monotonicMs() - startedMs)}`);
    } catch (error) {
      failures.push(error);
    } finally {
      underWay.delete(step.machine);
      show();
    }
  };
  for (const group of groups) {
    const waiting = [...group];
    const work = async () => {
      for (let step = waiting.shift(); step !== undefined && failures.length === 0 && !signal.aborted; step = waiting.shift())
        await move(step);
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, group.length) }, work));
    progress.clear();
    // The first is the answer; each of the others is another machine's.
    for (const other of failures.slice(1)) progress.note(other instanceof Error ? other.message : String(other));
    if (failures.length > 0) throw failures[0];
  }
}
