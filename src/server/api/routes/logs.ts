import { z } from "zod";
import { logLine } from "#model/api.ts";
import { kindsOfApp, type LogKind } from "#model/log-kind.ts";
import { processName } from "#model/name-schemas.ts";
import { type AppName, type InstanceId, type MachineId, reservedSpace, type SpaceName } from "#model/names.ts";
import type { LogQuery } from "#model/workload.ts";
import { requireApp } from "../../operations/app-operations.ts";
import { requireSpace } from "../../operations/space-operations.ts";
import { mergedLogs } from "../../view/merged-logs.ts";
import { flag, wholeNumber } from "../query.ts";
import { type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

const query = z.strictObject({
  tail: wholeNumber(10_000).default(100).meta({ description: "Latest lines before following. Default 100." }),
  sinceMs: wholeNumber(Number.MAX_SAFE_INTEGER).optional().meta({ description: "Only lines from this moment on, in epoch milliseconds." }),
  follow: flag.default(false),
  contains: z.string().max(1_000).optional().meta({ description: "Only lines with this text in them." }),
  process: processName.optional(),
  instance: z.string().max(200).optional().meta({ description: "Such as web.7.k3f9b." }),
});

export function logRoutes(services: Services): readonly Route[] {
  const { controlPlane } = services;
  const answer = { kind: "lines", schema: logLine } as const;
  return [
    route({
      method: "GET",
      path: "/v1/spaces/:space/apps/:app/logs",
      id: "readLogs",
      summary: "Output of the app's instances, by time; with `follow` on and on.",
      access: { right: "read", of: "space" },
      query,
      answer,
      handle: async ({ params, signal }, { process, instance, ...wanted }) => {
        const space = params["space"] as SpaceName;
        const app = params["app"] as AppName;
        requireApp(services, space, app);
        const prefix = process === undefined ? `${space}/${app}/` : `${space}/${app}/${process}/`;
        const id = instance === undefined ? null : (`${space}/${app}/${instance}` as InstanceId);
        const kinds = process === undefined && instance === undefined ? kindsOfApp : undefined;
        return { lines: controlPlane.logs(logQuery(prefix, id, wanted, kinds), signal) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/machines/:machine/logs",
      id: "readMachineLogs",
      summary:
        "What Drover's own programs say on a machine, by time: its agent, its edge, and the server where it runs; with `follow` on and on.",
      access: { right: "operate", of: "installation" },
      query: query.omit({ process: true, instance: true }),
      answer,
      handle: async ({ params, signal }, wanted) => {
        const agent = controlPlane.agentOn(params["machine"] as MachineId);
        // The agent's own lines are no instance's: they come from another place of the same machine.
        const sources = [agent, { logs: agent.ownLog }];
        return { lines: mergedLogs(sources, logQuery(`${reservedSpace}/`, null, wanted, ["server", "edge"]), signal) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/spaces/:space/logs",
      id: "readLogsOfSpace",
      summary: "Output of all instances of the space.",
      access: { right: "read", of: "space" },
      query: query.omit({ process: true, instance: true }),
      answer,
      handle: async ({ params, signal }, wanted) => {
        const { value } = requireSpace(services, params["space"] as SpaceName);
        return { lines: controlPlane.logs(logQuery(`${value.name}/`, null, wanted, kindsOfApp), signal) };
      },
    }),
  ];
}

interface Wanted {
  readonly tail: number;
  readonly sinceMs?: number | undefined;
  readonly follow: boolean;
  readonly contains?: string | undefined;
}

function logQuery(
  prefix: string,
  instance: InstanceId | null,
  { tail, sinceMs, follow, contains }: Wanted,
  kinds: readonly LogKind[] | undefined,
): LogQuery {
  const query = { prefix, instance, tail, sinceMs: sinceMs ?? null, follow, contains: contains ?? null };
  return kinds === undefined ? query : { ...query, kinds };
}
