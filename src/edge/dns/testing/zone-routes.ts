import type { InstanceId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";

/** The route that names a process, with an instance at each `host:port`. */
export function nameRoute(
  name: string,
  endpoints: readonly string[],
  more: { readonly isMain?: boolean; readonly servicePort?: number } = {},
): Route {
  const [process = "", app = "", space = ""] = name.split(".");
  return {
    id: `${space}/${app}/${process} name` as RouteId,
    space,
    app,
    process,
    listener: { kind: "name", name, isMain: more.isMain ?? process === "web", protocol: "http", servicePort: more.servicePort ?? null },
    targets:
      endpoints.length === 0
        ? []
        : [
            {
              release: 7,
              weight: 1,
              endpoints: endpoints.map((endpoint, i) => {
                const colon = endpoint.lastIndexOf(":");
                const instance = `${space}/${app}/${process}.7.i${i}` as InstanceId;
                return { instance, host: endpoint.slice(0, colon), port: Number(endpoint.slice(colon + 1)) };
              }),
            },
          ],
  };
}
