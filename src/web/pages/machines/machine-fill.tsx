import type { MachineView } from "#model/api-machines.ts";
import { Fill } from "../../parts/fill.tsx";
import { bytes, count } from "../../parts/format.ts";
import { Section } from "../../parts/section.tsx";
import type { MachineUse } from "../../state/machines.ts";
import { cpuText, memoryText, reservedShares } from "./machine-words.ts";

interface MachineFillProps {
  readonly machine: MachineView;
  readonly use: MachineUse | null;
  /** Why it does not say what it uses; null if it does. */
  readonly silence: string | null;
}

/** How full a machine is: what is used now, and what is promised to instances. */
export function MachineFill({ machine, use, silence }: MachineFillProps) {
  const { free, id } = machine;
  const reserved = reservedShares(machine);
  return (
    <Section title="Fill" note={silence ?? ""} command="drover top">
      <dl class="pairs">
        <div>
          <dt>CPU</dt>
          <dd>
            <Fill label={`CPU of ${id}`} used={use?.busy ?? null} reserved={reserved.cpu} text={cpuText(machine, use)} />
            {free !== null && <span class="muted">{round(free.cores)} free for instances that ask for some</span>}
            {use !== null && <span class="muted">load {use.load1.toFixed(2)}</span>}
          </dd>
        </div>
        <div>
          <dt>memory</dt>
          <dd>
            <Fill
              label={`Memory of ${id}`}
              used={use === null ? null : 1 - use.memory.availableBytes / use.memory.totalBytes}
              reserved={reserved.memory}
              text={memoryText(machine, use)}
            />
            {free !== null && <span class="muted">{bytes(free.memoryBytes)} free for instances that ask for some</span>}
          </dd>
        </div>
        {use !== null && <Measured id={id} use={use} />}
      </dl>
    </Section>
  );
}

function Measured({ id, use: { disk, rates, programs } }: { readonly id: string; readonly use: MachineUse }) {
  const own = Object.entries(programs).flatMap(([name, used]) => (used === null ? [] : [`${name} ${bytes(used.memoryBytes)}`]));
  return (
    <>
      <div>
        <dt>disk of Drover</dt>
        <dd>
          <Fill
            label={`Disk of ${id}`}
            used={1 - disk.availableBytes / disk.totalBytes}
            text={`${bytes(disk.totalBytes - disk.availableBytes)} of ${bytes(disk.totalBytes)}`}
          />
          <span class="muted">{bytes(disk.availableBytes)} free</span>
        </dd>
      </div>
      <div>
        <dt>network</dt>
        <dd>{rates === null ? "–" : `${bytes(rates.received)}/s in, ${bytes(rates.sent)}/s out`}</dd>
      </div>
      {rates?.waiting != null && (
        <div>
          <dt>has to wait</dt>
          <dd>
            {shareText(rates.waiting.cpu)} of the time for CPU, {shareText(rates.waiting.memory)} for memory, {shareText(rates.waiting.io)}{" "}
            for its disks
          </dd>
        </div>
      )}
      <div>
        <dt>Drover itself</dt>
        <dd class="muted">{own.join(", ")}</dd>
      </div>
    </>
  );
}

function round(cores: number): string {
  return count(Math.round(cores * 100) / 100, "core");
}

function shareText(share: number): string {
  return `${Math.round(share * 100)} %`;
}
