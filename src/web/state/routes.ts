import { useRef } from "preact/hooks";
import type { RouteView } from "#model/api-routes.ts";
import { apiPath, call } from "../api/client.ts";
import { compareLooks, type Look, type RouteLook } from "./route-rates.ts";
import { type Loaded, useLoad } from "./use.ts";

/** Each look asks every edge. */
const everyMs = 3_000;

/** An app's routes, with what takes them now. */
export function useRoutes(space: string, app: string): Loaded<RouteLook> {
  const before = useRef<{ readonly key: string; readonly look: Look } | null>(null);
  const key = `${space}/${app}`;
  return useLoad(
    key,
    async (signal) => {
      const { routes } = await call<{ routes: RouteView[] }>("GET", apiPath(["routes"], { space, app }), { signal });
      const look = { routes, atMs: performance.now() };
      const earlier = before.current?.key === key ? before.current.look : null;
      before.current = { key, look };
      return compareLooks(earlier, look);
    },
    { everyMs, wakes: (event) => event.space === space && event.app === app && /^(release|app|route)/.test(event.kind) },
  );
}
