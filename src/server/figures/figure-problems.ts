import { basename } from "node:path";
import type { Reason } from "#model/workload.ts";
import type { FigureStoreState } from "./figure-store.ts";

/** What of figures over time people have to know. */
export function figureProblems({ series, refused, damaged, failure }: FigureStoreState): readonly Reason[] {
  const problems: Reason[] = [];
  if (refused > 0)
    problems.push({
      code: "FIGURES_FULL",
      message: `${refused} figures are not followed over time: there are ${series} already, or their app has too many; give them fewer labels`,
    });
  if (failure !== null) problems.push({ code: "FIGURES_NOT_WRITTEN", message: `figures are not written to disk: ${failure}` });
  if (damaged.length > 0)
    problems.push({
      code: "FIGURES_DAMAGED",
      message: `figures of before are lost where ${damaged.map((file) => basename(file)).join(", ")} is damaged; the others are there`,
    });
  return problems;
}
