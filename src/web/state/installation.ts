import { signal } from "@preact/signals";
import type { EventView, SpaceView, StatusView } from "#model/api.ts";
import { apiPath, call } from "../api/client.ts";
import { type Loaded, useLoad } from "./use.ts";

/** The spaces that there are, for whatever lets somebody choose one. */
export const spaces = signal<readonly string[]>([]);

/** Events of single instances come by the hundred and change nothing of the whole. */
const isOfTheWhole = ({ kind }: EventView) => !kind.startsWith("instance.") && !kind.startsWith("workload.");

/** The installation as a whole, as it is. */
export function useInstallation(): Loaded<StatusView> {
  return useLoad("status", (signal) => call<StatusView>("GET", apiPath(["status"]), { signal }), { everyMs: 15_000, wakes: isOfTheWhole });
}

/** Keeps `spaces` up to date for as long as the component is there. */
export function useSpaces(): void {
  useLoad(
    "spaces",
    async (signal) => {
      const found = await call<{ spaces: SpaceView[] }>("GET", apiPath(["spaces"]), { signal });
      spaces.value = found.spaces.map(({ name }) => name);
    },
    { wakes: ({ kind }) => kind.startsWith("space.") || kind === "app.created" },
  );
}
