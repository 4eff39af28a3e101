import type { Route } from "../route.ts";
import type { Services } from "../services.ts";
import { appRoutes } from "./apps.ts";
import { buildRoutes } from "./builds.ts";
import { certificateRoutes } from "./certificates.ts";
import { escalationRoutes } from "./escalations.ts";
import { eventRoutes } from "./events.ts";
import { execRoutes } from "./exec.ts";
import { historyRoutes } from "./history.ts";
import { installationRoutes } from "./installation.ts";
import { kvRoutes } from "./kv.ts";
import { logSearchRoutes } from "./log-searches.ts";
import { logShippingRoutes } from "./log-shipping.ts";
import { logRoutes } from "./logs.ts";
import { machineRoutes } from "./machines.ts";
import { manifestRoutes } from "./manifests.ts";
import { metricRoutes } from "./metrics.ts";
import { poolRoutes } from "./pools.ts";
import { programsRoutes } from "./programs.ts";
import { rebalanceRoutes } from "./rebalance.ts";
import { restoreRoutes } from "./restore.ts";
import { routeRoutes } from "./routes.ts";
import { scalingRoutes } from "./scaling.ts";
import { secretRoutes } from "./secrets.ts";
import { sessionRoutes } from "./sessions.ts";
import { spaceRoutes } from "./spaces.ts";
import { tokenRoutes } from "./tokens.ts";
import { usageRoutes } from "./usage.ts";
import { versionRoutes } from "./versions.ts";

/** All that the API answers. */
export function allRoutes(services: Services): readonly Route[] {
  return [
    ...installationRoutes(services),
    ...machineRoutes(services),
    ...programsRoutes(services),
    ...manifestRoutes(services),
    ...spaceRoutes(services),
    ...appRoutes(services),
    ...logRoutes(services),
    ...logSearchRoutes(services),
    ...logShippingRoutes(services),
    ...execRoutes(services),
    ...buildRoutes(services),
    ...secretRoutes(services),
    ...routeRoutes(services),
    ...certificateRoutes(services),
    ...eventRoutes(services),
    ...historyRoutes(services),
    ...usageRoutes(services),
    ...versionRoutes(services),
    ...metricRoutes(services),
    ...scalingRoutes(services),
    ...kvRoutes(services),
    ...rebalanceRoutes(services),
    ...restoreRoutes(services),
    ...escalationRoutes(services),
    ...poolRoutes(services),
    ...tokenRoutes(services),
    ...sessionRoutes(services),
  ];
}
