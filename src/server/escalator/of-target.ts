import type { SpaceName } from "#model/names.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import type { IsMeant } from "../figures/measure.ts";

/** The figures that are of a target: of an app its own, of a machine its own and those of the space there. Never those of another space. */
export function ofTarget(space: SpaceName, target: Target): IsMeant {
  const name = nameOf(target);
  return ({ name: metric, labels }) => {
    if (labels["space"] === undefined ? metric === "drover_problems" : labels["space"] !== space) return false;
    const scope = scopeOf(target);
    return scope === "app" ? labels["app"] === name : scope === "machine" ? labels["machine"] === name : true;
  };
}
