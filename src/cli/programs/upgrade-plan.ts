import type { ProgramsState } from "#model/programs.ts";

export interface Candidate {
  readonly machine: string;
  /** The server runs there. */
  readonly hasServer: boolean;
  /** Null: it does not answer, or is too old to say. */
  readonly programs: ProgramsState | null;
}

/** What an upgrade is to make of a machine. */
export interface Step {
  readonly machine: string;
  readonly hasServer: boolean;
  /** `judge`: it runs that version already, on trial, and a command that has ended did not say whether it stays. */
  readonly kind: "go-over" | "judge";
  readonly from: ProgramsState;
}

export interface UpgradePlan {
  /** Machines of one group may be worked on at once; a group begins when the one before has ended well. */
  readonly groups: readonly (readonly Step[])[];
  /** Machines that are as they should be. */
  readonly done: readonly string[];
  /** Machines that cannot be worked on. */
  readonly silent: readonly string[];
}

/**
 * In which order machines go over. The server is the caller on every link, and uses what it knows: so it is never younger than an agent or an edge. Forwards it
 * comes last, with its machine; back, first.
 * @param target the version to go to; null: each back to what it ran before
 */
export function planUpgrade(candidates: readonly Candidate[], target: string | null): UpgradePlan {
  const done: string[] = [];
  const silent: string[] = [];
  const steps: Step[] = [];
  for (const { machine, hasServer, programs } of candidates.toSorted((a, b) => (a.machine < b.machine ? -1 : 1))) {
    if (programs === null) silent.push(machine);
    else if (target === null ? programs.before === null : programs.id === target && !programs.isOnTrial) done.push(machine);
    else steps.push({ machine, hasServer, kind: target !== null && programs.id === target ? "judge" : "go-over", from: programs });
  }
  const others = steps.filter(({ hasServer }) => !hasServer);
  const own = steps.filter(({ hasServer }) => hasServer);
  return { groups: (target === null ? [own, others] : [others, own]).filter((group) => group.length > 0), done, silent };
}
