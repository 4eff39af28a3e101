import type { MachineView } from "#model/api-machines.ts";
import { Fill } from "../../parts/fill.tsx";
import { ChoiceFilter, WordFilter } from "../../parts/filters.tsx";
import { bytes } from "../../parts/format.ts";
import { Link } from "../../parts/link.tsx";
import { Nothing } from "../../parts/notice.tsx";
import { type Column, Rows } from "../../parts/rows.tsx";
import { Section } from "../../parts/section.tsx";
import { MachineState } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { machinePath, parameter } from "../../state/location.ts";
import type { MachineUse, Use } from "../../state/machines.ts";
import { cpuText, edgeText, labelText, memoryText, reservedShares } from "./machine-words.ts";

interface Row {
  readonly machine: MachineView;
  readonly use: MachineUse | null;
  /** It runs another version than the server. */
  readonly isOther: boolean;
}

const columns: readonly Column<Row>[] = [
  { name: "machine", cell: ({ machine: { id } }) => <Link to={machinePath(id)}>{id}</Link> },
  { name: "state", cell: ({ machine }) => <MachineState machine={machine} /> },
  {
    name: "CPU",
    cell: ({ machine, use }) => (
      <Fill label={`CPU of ${machine.id}`} used={use?.busy ?? null} reserved={reservedShares(machine).cpu} text={cpuText(machine, use)} />
    ),
  },
  {
    name: "memory",
    isMinor: true,
    cell: ({ machine, use }) => (
      <Fill
        label={`Memory of ${machine.id}`}
        used={use === null ? null : 1 - use.memory.availableBytes / use.memory.totalBytes}
        reserved={reservedShares(machine).memory}
        text={memoryText(machine, use)}
      />
    ),
  },
  { name: "disk free", isNumber: true, isMinor: true, cell: ({ use }) => (use === null ? "–" : bytes(use.disk.availableBytes)) },
  { name: "instances", isNumber: true, isMinor: true, cell: ({ machine }) => machine.instances },
  {
    name: "version",
    isMinor: true,
    cell: ({ machine: { version }, isOther }) => (
      <span class={isOther ? "mono warn" : "mono"} title={isOther ? "Not the server’s version" : undefined}>
        {visibleText(version ?? "–")}
      </span>
    ),
  },
  { name: "edge", isMinor: true, cell: ({ machine }) => edgeText(machine) },
  { name: "address", isMinor: true, cell: ({ machine: { address } }) => <span class="mono">{address ?? ""}</span> },
  { name: "labels", isWide: true, isMinor: true, cell: ({ machine }) => <span class="muted">{labelText(machine.labels)}</span> },
];

const states = ["linked", "cordoned", "draining", "does not answer"] as const;

function stateOf({ linked, draining, cordoned }: MachineView): (typeof states)[number] {
  if (!linked) return "does not answer";
  return draining ? "draining" : cordoned ? "cordoned" : "linked";
}

interface MachineTableProps {
  readonly machines: readonly MachineView[] | null;
  readonly use: Use | null;
  /** Null while it is not known. */
  readonly serverVersion: string | null;
}

/** All machines, those in trouble first. */
export function MachineTable({ machines, use, serverVersion }: MachineTableProps) {
  const [words, state] = [parameter("q").toLowerCase(), parameter("state")];
  const shown = (machines ?? [])
    .filter((one) => state === "" || stateOf(one) === state)
    .filter(({ id, hostName, labels }) => `${id} ${hostName} ${labelText(labels)}`.toLowerCase().includes(words))
    .sort((a, b) => states.indexOf(stateOf(b)) - states.indexOf(stateOf(a)) || (a.id < b.id ? -1 : 1))
    .map(
      (machine): Row => ({
        machine,
        use: use?.machines.get(machine.id) ?? null,
        isOther: serverVersion !== null && machine.version !== null && machine.version !== serverVersion,
      }),
    );
  const note = machines === null ? "" : shown.length === machines.length ? String(shown.length) : `${shown.length} of ${machines.length}`;
  return (
    <Section
      title="Machines"
      note={note}
      command="drover machine ls"
      tools={
        <>
          <WordFilter label="Filter machines by name or label" />
          <ChoiceFilter
            label="Filter machines by state"
            name="state"
            value={state}
            choices={[["", "any state"], ...states.map((one) => [one, one] as const)]}
          />
        </>
      }
    >
      {shown.length > 0 && <Rows label="Machines" rows={shown} columns={columns} keyOf={({ machine }) => machine.id} />}
      {machines !== null && shown.length === 0 && <Nothing>No machine matches the filter.</Nothing>}
    </Section>
  );
}
