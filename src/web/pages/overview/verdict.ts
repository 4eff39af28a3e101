import type { AppSummary, StatusView } from "#model/api.ts";
import type { MachineView } from "#model/api-machines.ts";
import { describeCondition } from "#model/conditions.ts";
import type { Watched } from "../../state/watched.ts";

/** What the overview is about. */
export interface Scene {
  readonly apps: readonly AppSummary[];
  /** Of the installation. */
  readonly problems: StatusView["problems"];
  readonly machines: readonly MachineView[];
  readonly watched: Watched;
}

/** What somebody should look at, by kind, each the worst first. */
export interface Attention {
  readonly silent: readonly MachineView[];
  /** Those that have no line of their own below. */
  readonly problems: StatusView["problems"];
  readonly runs: Watched["runs"];
  readonly failing: Watched["checks"];
  readonly troubled: readonly AppSummary[];
  readonly deploying: readonly AppSummary[];
}

/** In one line: whether all is well. */
export interface Verdict {
  readonly tone: "good" | "busy" | "warn" | "bad";
  readonly words: string;
  /** What is wrong or needs a look; 0: nothing. */
  readonly count: number;
}

const isError = ({ code }: { readonly code: string }) => (describeCondition(code)?.severity ?? "error") === "error";

export function attentionOf({ apps, problems, machines, watched: { checks, runs } }: Scene): Attention {
  return {
    silent: machines.filter(({ linked }) => !linked),
    problems: problems
      .filter(({ code }) => code !== "CHECK_FAILING" && code !== "PERSON_NEEDED")
      .toSorted((a, b) => Number(isError(b)) - Number(isError(a))),
    runs: runs.toSorted((a, b) => Number(needsPerson(b)) - Number(needsPerson(a))),
    failing: checks.filter(({ verdict, isSilent }) => verdict === "failing" && !isSilent),
    troubled: apps
      .filter(({ health }) => health === "down" || health === "degraded")
      .toSorted((a, b) => Number(b.health === "down") - Number(a.health === "down")),
    deploying: apps.filter(({ rollout }) => rollout !== null),
  };
}

export function verdictOf({ silent, problems, runs, failing, troubled, deploying }: Attention): Verdict {
  const down = troubled.filter(({ health }) => health === "down").length;
  const errors = problems.filter(isError).length;
  const waiting = runs.filter(needsPerson).length;
  const bad = silent.length + errors + failing.length + down;
  const warnings = problems.length - errors + troubled.length - down + waiting;
  const moving = deploying.length + runs.length - waiting;
  const count = bad + warnings;
  if (bad > 0) return { tone: "bad", words: `${count} ${count === 1 ? "thing is" : "things are"} wrong`, count };
  if (warnings > 0) return { tone: "warn", words: `${count} ${count === 1 ? "thing needs" : "things need"} a look`, count };
  if (moving > 0) return { tone: "busy", words: `All is well, ${moving} ${moving === 1 ? "change goes" : "changes go"} on`, count };
  return { tone: "good", words: "All is well", count };
}

/** It goes on only when somebody says so. */
function needsPerson({ state }: Watched["runs"][number]): boolean {
  return state === "needs-human" || state === "waiting";
}
