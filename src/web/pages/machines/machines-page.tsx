import { useEffect } from "preact/hooks";
import type { Version } from "#model/api.ts";
import { apiPath, call } from "../../api/client.ts";
import { count } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice } from "../../parts/notice.tsx";
import { spaces as allSpaces } from "../../state/installation.ts";
import { space } from "../../state/location.ts";
import { useMachines, usePools, useUse } from "../../state/machines.ts";
import { useLoad } from "../../state/use.ts";
import { useWatched } from "../../state/watched.ts";
import { MachineTable } from "./machine-table.tsx";
import { PoolTable } from "./pool-table.tsx";

/** What there is to run on: machines with what is left of them, and the pools that some of them are of. */
export function MachinesPage() {
  const machines = useMachines();
  const use = useUse();
  const spaces = space.value === null ? allSpaces.value : [space.value];
  const pools = usePools(spaces);
  const version = useLoad("version", (signal) => call<Version>("GET", apiPath(["version"]), { signal }));
  const watched = useWatched(spaces);
  useEffect(() => {
    document.title = "Machines – Drover";
  }, []);
  const all = machines.value?.machines ?? [];
  const answering = all.filter(({ linked }) => linked);
  const cores = answering.reduce((sum, one) => sum + one.cores, 0);
  return (
    <>
      <div class="title">
        <h1>Machines</h1>
        {machines.value !== null && (
          <span class="muted">
            {answering.length === all.length ? "" : `${answering.length} of `}
            {count(all.length, "machine")}, {count(cores, "core")},{" "}
            {count(
              all.reduce((sum, one) => sum + one.instances, 0),
              "instance",
            )}
          </span>
        )}
        <span class="grow" />
        <Link to="/add-machines">Add machines</Link>
      </div>
      <ErrorNotice error={machines.error ?? use.error ?? pools.error} />
      <MachineTable machines={machines.value?.machines ?? null} use={use.value} serverVersion={version.value?.version ?? null} />
      <PoolTable pools={pools.value} runs={watched.value?.runs ?? []} />
    </>
  );
}
