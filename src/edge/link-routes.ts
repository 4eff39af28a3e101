import type { LinkRoutes } from "#link/serve.ts";
import { DroverError } from "#model/errors.ts";
import type { RouteId } from "#model/names.ts";
import type { ProgramVersion } from "#model/workload.ts";
import type { Certificates } from "./certificates/certificates.ts";
import { readCertificateChange } from "./certificates/read-certificates.ts";
import type { DnsServer } from "./dns/dns-server.ts";
import type { Door } from "./door.ts";
import type { Router, TableChange } from "./router/router.ts";
import { readPatch, readTable } from "./table/read-table.ts";
import { flag, object } from "./table/read-values.ts";
import type { Table } from "./table/table.ts";

/** What an edge serves to the server; `src/model/link.ts` has the list. */
export function edgeRoutes({
  table,
  certificates,
  router,
  door,
  dns,
  restart,
  program,
  checks,
  onChange,
}: {
  readonly table: Table;
  readonly certificates: Certificates;
  readonly router: Router;
  readonly door: Door;
  readonly dns: DnsServer | null;
  /** Asks for another edge on the same sockets; null where nobody holds them. */
  readonly restart: (() => void) | null;
  readonly program: ProgramVersion;
  /** What it serves about checks that are made from here. */
  readonly checks: LinkRoutes;
  readonly onChange: () => void;
}): LinkRoutes {
  const apply = async (change: TableChange) => {
    dns?.apply(change);
    await router.apply(change);
    onChange();
    return null;
  };
  const dnsProblem = () => {
    const problem = dns?.problem() ?? null;
    return problem === null ? [] : [{ route: "DNS", ...problem }];
  };
  return {
    ...checks,
    "GET /revision": async () => ({ ...table.version, problems: [...door.problems(), ...router.problems(), ...dnsProblem()] }),
    "GET /program": async (): Promise<ProgramVersion> => program,
    "GET /table": async () => ({ routes: table.routes() }),
    "PUT /table": async (call) => apply(table.replace(readTable(await call.body()))),
    "PATCH /table": async (call) => apply(table.patch(readPatch(await call.body()))),
    "GET /certificates": async () => certificates.digests,
    "PATCH /certificates": async (call) => {
      const change = readCertificateChange(await call.body());
      await certificates.change(change);
      await router.certify(change);
      return null;
    },
    "PUT /door": async (call) => {
      await door.set(flag(object(await call.body(), "door"), "isPublic", "door"));
      return null;
    },
    "POST /restart": async () => {
      if (restart === null)
        throw new DroverError("NOT_YET_SUPPORTED", "this edge cannot hand over: its sockets are its own", {
          hint: 'The edge of "drover up" with the embedded router can. Others are restarted by whoever started them.',
        });
      restart();
      return null;
    },
    "GET /draining": async (call) => {
      await call.lines(router.draining(call.signal));
      return undefined;
    },
    "GET /wanted": async (call) => {
      const wanted = router.wanted(call.signal);
      if (wanted === null)
        throw new DroverError("NOT_YET_SUPPORTED", "this router holds no requests for an app without instances", {
          hint: "The embedded router does.",
        });
      await call.lines(wantedLines(wanted));
      return undefined;
    },
    "GET /traffic": async () => ({ targets: await router.traffic() }),
  };
}

/** The first line says that requests are held here from now on. */
async function* wantedLines(wanted: AsyncIterable<RouteId>): AsyncGenerator<{ readonly route: RouteId | null }> {
  yield { route: null };
  for await (const route of wanted) yield { route };
}
