import { useEffect } from "preact/hooks";
import type { InstanceView } from "#model/api.ts";
import type { MachineView } from "#model/api-machines.ts";
import { apiPath, call } from "../../api/client.ts";
import type { PageProps } from "../../app.tsx";
import { Age } from "../../parts/age.tsx";
import { ShortReason } from "../../parts/condition.tsx";
import { bytes, count } from "../../parts/format.ts";
import { HealthHistorySection } from "../../parts/health-history.tsx";
import { InstanceLink } from "../../parts/instance-link.tsx";
import { Link } from "../../parts/link.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { InstanceState, MachineState } from "../../parts/state.tsx";
import { spaces } from "../../state/installation.ts";
import { appPath } from "../../state/location.ts";
import { type InstanceUse, useMachines, useUse } from "../../state/machines.ts";
import { useLoad } from "../../state/use.ts";
import { useWatched } from "../../state/watched.ts";
import { MachineActions } from "./machine-actions.tsx";
import { MachineConditions } from "./machine-conditions.tsx";
import { MachineFill } from "./machine-fill.tsx";
import { MachineGraphs } from "./machine-graphs.tsx";
import { labelText } from "./machine-words.ts";

/** How often what runs is looked at: most of its changes are no event. */
const instancesMs = 5_000;

/** One machine: what it has left, what holds there, and what runs on it. */
export function MachinePage({ params: { machine: id = "" } }: PageProps) {
  const machines = useMachines();
  const use = useUse();
  const watched = useWatched(spaces.value);
  const instances = useLoad(
    id,
    (signal) => call<{ instances: InstanceView[] }>("GET", apiPath(["instances"], { machine: id }), { signal }),
    { everyMs: instancesMs, wakes: ({ kind }) => /^(instance|workload|agent|machine)\./.test(kind) },
  );
  useEffect(() => {
    document.title = `${id} – Drover`;
  }, [id]);
  const machine = machines.value?.machines.find((one) => one.id === id);
  if (machines.value !== null && machine === undefined) return <Nothing>{`There is no machine “${id}”.`}</Nothing>;
  return (
    <>
      <div class="title">
        <h1>{id}</h1>
        {machine !== undefined && <MachineState machine={machine} />}
        {machine !== undefined && <span class="muted">{wordsOf(machine)}</span>}
        <span class="grow" />
        {machine !== undefined && <MachineActions machine={machine} onDone={machines.reload} />}
      </div>
      <ErrorNotice error={machines.error ?? instances.error ?? use.error} />
      {machine?.draining === true && <Draining machine={machine} />}
      {machine !== undefined && (
        <>
          <MachineFill machine={machine} use={use.value?.machines.get(id) ?? null} silence={use.value?.silent.get(id) ?? null} />
          <MachineConditions machine={machine} watched={watched} />
          <HealthHistorySection
            of={["machines", id]}
            command={`drover health --machine ${id}`}
            wakes={/^(agent|machine)\./}
            timeline={`/timeline?last=1d&q=${encodeURIComponent(id)}`}
          />
          <Instances machine={id} instances={instances.value?.instances ?? null} use={use.value?.instances ?? new Map()} />
          <MachineGraphs machine={id} />
        </>
      )}
    </>
  );
}

function wordsOf({ id, hostName, joined, address, labels, version, public: isPublic }: MachineView): string {
  const label = labelText(labels);
  return [
    ...(hostName === id ? [] : [hostName]),
    ...(address === null ? [] : [`reached at ${address}`]),
    joined ? "joined" : "beside the server",
    ...(version === null ? [] : [`Drover ${version}`]),
    ...(isPublic === false ? ["closed to what comes from outside"] : []),
    ...(label === "" ? [] : [label]),
  ].join(", ");
}

function Draining({ machine: { id, instances, bound, forced, volumesOf } }: { readonly machine: MachineView }) {
  const staying = forced ? 0 : bound;
  return (
    <p class="notice" role="status">
      {instances === 0
        ? `Nothing runs on ${id} any more; it takes nothing new until it is uncordoned.`
        : instances > staying
          ? `${count(instances - staying, "instance")} still to ${forced ? "move to other machines, or to stop" : "move to other machines"}.`
          : `All else has moved. ${count(staying, "instance")} of ${volumesOf.join(", ")} ${staying === 1 ? "stays" : "stay"}, because the volumes are here; a drain with force stops ${staying === 1 ? "it" : "them"}.`}
    </p>
  );
}

interface InstancesProps {
  readonly machine: string;
  readonly instances: readonly InstanceView[] | null;
  readonly use: ReadonlyMap<string, InstanceUse>;
}

function Instances({ machine, instances, use }: InstancesProps) {
  const columns: readonly Column<InstanceView>[] = [
    {
      name: "app",
      cell: (one) => (
        <Link to={appPath(one)}>
          <span class="muted">{one.space}/</span>
          {one.app}
        </Link>
      ),
    },
    {
      name: "instance",
      cell: (one) => <InstanceLink instance={one} />,
    },
    { name: "state", cell: (one) => <InstanceState instance={one} /> },
    { name: "release", isNumber: true, isMinor: true, cell: ({ release }) => release },
    { name: "CPU", isNumber: true, isMinor: true, cell: ({ id }) => coresText(use.get(id)?.used ?? null) },
    { name: "memory", isNumber: true, isMinor: true, cell: ({ id }) => memoryText(use.get(id)) },
    { name: "since", isMinor: true, cell: ({ startedAtMs, sinceMs }) => <Age atMs={startedAtMs ?? sinceMs} /> },
    { name: "why", isWide: true, isMinor: true, cell: ({ reason }) => <ShortReason reason={reason} /> },
  ];
  return (
    <Section title="Instances" note={String(instances?.length ?? "")} command={`drover ps --machine ${machine}`}>
      {instances?.length === 0 && <Nothing>Nothing runs here.</Nothing>}
      {instances !== null && instances.length > 0 && <Rows label="Instances" rows={instances} columns={columns} keyOf={({ id }) => id} />}
    </Section>
  );
}

/** Of one core: what a core does in a second is 100 %. */
function coresText(cores: number | null): string {
  return cores === null ? "–" : `${(cores * 100).toFixed(cores < 0.1 ? 1 : 0)} %`;
}

function memoryText(use: InstanceUse | undefined): string {
  return use === undefined ? "–" : bytes(use.memoryBytes);
}
