import type { SpaceName } from "#model/names.ts";
import type { BeyondApps } from "../operations/apply.ts";
import type { Call } from "./route.ts";

/** What it takes to declare more than apps and their space. */
export function requireBeyondApps(requireRight: Call["requireRight"]): (kind: BeyondApps, space: SpaceName) => void {
  return (kind, space) => {
    // What a ladder holds back for a person must not be let go by whoever may deploy an app; what a pool makes may join, for all spaces; and
    // lines of other spaces and of Drover itself are read by those alone who may read everything.
    if (kind === "ladder") requireRight("mend", { space });
    else requireRight("operate", "installation");
  };
}
