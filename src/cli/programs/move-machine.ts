import type { Clock } from "#model/clock.ts";
import { DroverError, fromErrorBody } from "#model/errors.ts";
import type { ProgramsOrder, ProgramsProgress, ProgramsState } from "#model/programs.ts";
import { took } from "#model/quantities.ts";
import type { FleetLook } from "./fleet-look.ts";
import { judgeMachine } from "./judge-machine.ts";
import type { Step } from "./upgrade-plan.ts";

/** What the server is asked for while machines go over to another version. Any of it may fail with SERVER_UNREACHABLE while the server itself does. */
export interface Fleet {
  look(signal: AbortSignal): Promise<FleetLook>;
  programs(machine: string, signal: AbortSignal): Promise<ProgramsState>;
  start(machine: string, order: ProgramsOrder, signal: AbortSignal): AsyncIterable<ProgramsProgress>;
  keep(machine: string, signal: AbortSignal): Promise<void>;
  back(machine: string, signal: AbortSignal): Promise<void>;
}

export interface MoveOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** Null: back to what it ran before. */
  readonly order: ProgramsOrder | null;
  /** How long it may take until everything there is as it was before. */
  readonly healthyMs: number;
  readonly stage: (text: string) => void;
}

const lookEveryMs = 250;
/** What is well for a moment may be on its way down: an agent that cannot hold its link, an app that ends after its first request. */
const steadyMs = 2_000;
/** After its trial of two minutes a machine goes back by itself, and then takes a while to be linked. */
export const backByItselfMs = 180_000;

/**
 * Has one machine go over, and looks whether everything there is as it was before. If it is not, the machine goes back.
 * @throws {DroverError} UPGRADE_FAILED once it is back; what starting it throws, before anything was changed
 */
export async function moveMachine(step: Step, options: MoveOptions, signal: AbortSignal): Promise<void> {
  const { fleet, clock, order, healthyMs, stage } = options;
  const { machine, from } = step;
  const target = order === null ? (from.before?.id ?? null) : order.id;
  const before = step.kind === "judge" ? null : await patiently(() => fleet.look(signal), clock, signal);
  if (step.kind === "go-over") await begin(step, options, signal);
  const why = await untilSteady(machine, target, before, { fleet, clock, stage }, healthyMs, signal);
  if (why === null) {
    await patiently(() => fleet.keep(machine, signal), clock, signal);
    return;
  }
  stage("goes back");
  await goBack(machine, target, { fleet, clock }, signal);
  throw new DroverError("UPGRADE_FAILED", `${machine} did not stay with it, and is back at ${nameOf(from)}: ${why}`, {
    hint: `The machine's own words: "drover machine logs ${machine}". Those that went over before it stay; "drover upgrade --back" takes them back.`,
    details: { machine, why },
  });
}

/** `0.1.0 (3f2a…)`, or that nobody but the person who installed it knows. */
export function nameOf({ id, release }: Pick<ProgramsState, "id" | "release">): string {
  return id === null ? `${release}, installed by hand` : `${release} (${id})`;
}

async function begin({ machine, from }: Step, { fleet, order, clock, stage }: MoveOptions, signal: AbortSignal): Promise<void> {
  stage(order === null ? "goes back" : "copies");
  if (order === null) return patiently(() => backTo(from.before?.id ?? null, machine, fleet, signal), clock, signal);
  try {
    for await (const step of fleet.start(machine, order, signal)) {
      if (step.kind === "copying") stage(`copies part ${step.part} of ${step.of}`);
      if (step.kind === "starting") stage("goes over");
      if (step.kind === "failed") throw fromErrorBody(step.error);
    }
  } catch (error) {
    // The server's own machine: the server may end before it has said that it does. What came of it shows.
    if (!isAway(error)) throw error;
  }
}

/** Looks first: a server that went away with its machine may have asked it already, and asked twice it would be where it came from. */
async function backTo(target: string | null, machine: string, fleet: Fleet, signal: AbortSignal): Promise<void> {
  const { id } = await fleet.programs(machine, signal);
  if (id !== target) await fleet.back(machine, signal);
}

type Looking = Pick<MoveOptions, "fleet" | "clock" | "stage">;

/** Null once everything has been as before for a while; else what is not, when the time is over or the machine has gone back by itself. */
async function untilSteady(
  machine: string,
  target: string | null,
  before: FleetLook | null,
  { fleet, clock, stage }: Looking,
  healthyMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  const startedMs = clock.monotonicMs();
  let wellSinceMs: number | null = null;
  for (;;) {
    const { faults, hasLeft = false } = await findFaults(machine, target, before, fleet, signal);
    const nowMs = clock.monotonicMs();
    if (faults.length === 0) {
      wellSinceMs ??= nowMs;
      if (nowMs - wellSinceMs >= steadyMs) return null;
    } else {
      wellSinceMs = null;
      if (hasLeft) return faults.join("; ");
      if (nowMs - startedMs > healthyMs) return `after ${took(healthyMs)}, ${faults.join("; ")}`;
    }
    stage(faults[0] ?? "is as before");
    await clock.sleep(lookEveryMs, signal);
  }
}

interface Found {
  readonly faults: readonly string[];
  /** It has gone back by itself: there is nothing to wait for. */
  readonly hasLeft?: boolean;
}

async function findFaults(
  machine: string,
  target: string | null,
  before: FleetLook | null,
  fleet: Fleet,
  signal: AbortSignal,
): Promise<Found> {
  try {
    const { id, refused } = await fleet.programs(machine, signal);
    if (id === target) return { faults: judgeMachine(machine, before, await fleet.look(signal)) };
    return refused !== null && refused.id === target
      ? { faults: [`it went back by itself: ${refused.why}`], hasLeft: true }
      : { faults: ["it has not gone over yet"] };
  } catch (error) {
    if (!isAway(error)) throw error;
    return { faults: [error instanceof Error ? error.message : String(error)] };
  }
}

/** Asks the machine to go back, and waits until it is: where it cannot be asked, it does so by itself when its trial is over. */
async function goBack(
  machine: string,
  target: string | null,
  { fleet, clock }: Pick<Looking, "fleet" | "clock">,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  let isAsked = false;
  for (;;) {
    try {
      const { id } = await fleet.programs(machine, signal);
      if (id !== target) {
        // Also where it went back by itself: what it did not stay with goes.
        return await fleet.keep(machine, signal);
      }
      if (!isAsked) await fleet.back(machine, signal);
      isAsked = true;
    } catch (error) {
      if (!isAway(error)) throw error;
    }
    if (clock.monotonicMs() - startedMs > backByItselfMs)
      throw new DroverError("UPGRADE_FAILED", `${machine} went over, is not as it was before, and has not come back`, {
        hint: `Look there: its log is agent/log/agent.log in its home folder. "drover machine ls" says when it answers.`,
        details: { machine },
      });
    await clock.sleep(lookEveryMs, signal);
  }
}

/** Tries on while the server is away: its own machine's agent takes it along. */
async function patiently<T>(ask: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isAway(error) || clock.monotonicMs() - startedMs > awayMs) throw error;
      await clock.sleep(lookEveryMs, signal);
    }
  }
}

/** A server is back within two seconds, and knows its machines again within five more. */
const awayMs = 30_000;

/** The server is being replaced, or the machine's agent is. */
function isAway(error: unknown): boolean {
  return error instanceof DroverError && (error.code === "SERVER_UNREACHABLE" || error.code === "CLUSTER_UNREACHABLE");
}
