import { z } from "zod";
import { condition, type StatusView, status, version } from "#model/api.ts";
import { conditions } from "#model/conditions.ts";
import type { MachineId } from "#model/names.ts";
import { objects } from "../../objects/objects.ts";
import { viewSpace } from "../../operations/space-operations.ts";
import { type Call, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

const health = z.object({ ok: z.literal(true), revision: z.int() }).meta({ id: "Health" });

/** The installation as a whole. */
export function installationRoutes(services: Services): readonly Route[] {
  const { store, controlPlane } = services;
  return [
    route({
      method: "GET",
      path: "/v1/health",
      id: "getHealth",
      summary: "Whether the server answers. The only route that needs no token.",
      access: "open",
      answer: { kind: "json", schema: health },
      handle: async () => ({ json: { ok: true, revision: store.revision } }),
    }),
    route({
      method: "GET",
      path: "/v1/version",
      id: "getVersion",
      summary: "Versions of the server and of its API.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: version },
      handle: async () => ({ json: services.version() }),
    }),
    route({
      method: "GET",
      path: "/v1/conditions",
      id: "listConditions",
      summary: "Every condition that is shown of apps, machines and the rest: what it means, and what to do.",
      access: { right: "read", of: "common" },
      answer: { kind: "json", schema: z.object({ conditions: z.array(condition) }) },
      handle: async () => ({ json: { conditions: Object.entries(conditions).map(([code, one]) => ({ code, ...one })) } }),
    }),
    route({
      method: "GET",
      path: "/v1/status",
      id: "getStatus",
      summary: "The whole installation in one answer, as far as the caller may see it.",
      access: { right: "read", of: "each" },
      answer: { kind: "json", schema: status },
      handle: async (call) => ({ json: await viewStatus(services, call) }),
    }),
    route({
      method: "POST",
      path: "/v1/edges/:machine/restart",
      id: "restartEdge",
      summary: "Has an edge hand over to a new one on the same sockets; answers once that has the table. No request fails by it.",
      access: { right: "operate", of: "installation" },
      answer: { kind: "json", schema: z.object({ machine: z.string() }) },
      handle: async ({ params, signal }) => {
        const machineId = params["machine"] as MachineId;
        await controlPlane.restartEdge(machineId, signal);
        return { json: { machine: machineId } };
      },
    }),
  ];
}

async function viewStatus(services: Services, { signal, sees }: Call): Promise<StatusView> {
  const { store, controlPlane } = services;
  const apps: Record<string, number> = {};
  for (const { space, health: state } of controlPlane.summaries()) if (sees(space)) apps[state] = (apps[state] ?? 0) + 1;
  const spaces = objects.spaces(store).filter(({ value }) => sees(value.name));
  const unmended = await Promise.all(spaces.map(({ value }) => controlPlane.unmended(value.name, null)));
  return {
    version: services.version(),
    startedAtMs: services.startedAtMs,
    spaces: spaces.map((stored) => viewSpace(services, stored)),
    apps,
    machines: [...controlPlane.machines()],
    edges: [...controlPlane.edges()],
    addresses: services.addresses(),
    problems: [...(sees(null) ? await controlPlane.problems(signal) : []), ...unmended.flat()],
  };
}
