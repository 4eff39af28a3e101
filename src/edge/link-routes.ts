import type { LinkRoutes } from "#link/serve.ts";
import type { Certificates } from "./certificates/certificates.ts";
import { readCertificateChange } from "./certificates/read-certificates.ts";
import type { Router } from "./router/router.ts";
import { readPatch, readTable } from "./table/read-table.ts";
import type { Table } from "./table/table.ts";

/** What an edge serves to the server; `src/model/link.ts` has the list. */
export function edgeRoutes({
  table,
  certificates,
  router,
  onChange,
}: {
  readonly table: Table;
  readonly certificates: Certificates;
  readonly router: Router;
  readonly onChange: () => void;
}): LinkRoutes {
  return {
    "GET /revision": async () => ({ ...table.version, problems: router.problems() }),
    "PUT /table": async (call) => {
      await router.apply(table.replace(readTable(await call.body())));
      onChange();
      return null;
    },
    "PATCH /table": async (call) => {
      await router.apply(table.patch(readPatch(await call.body())));
      onChange();
      return null;
    },
    "GET /certificates": async () => certificates.digests,
    "PATCH /certificates": async (call) => {
      const change = readCertificateChange(await call.body());
      await certificates.change(change);
      await router.certify(change);
      return null;
    },
    "GET /draining": async (call) => {
      await call.lines(router.draining(call.signal));
      return undefined;
    },
    "GET /traffic": async () => ({ targets: await router.traffic() }),
  };
}
