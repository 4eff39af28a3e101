import {
  type AppId,
  appId,
  appOfInstance,
  type InstanceId,
  type MachineId,
  parseWorkloadId,
  type WorkloadId,
  type WorkloadName,
} from "#model/names.ts";
import type { Resources } from "#model/workload.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import { isOver, type KnownWorkload, type MutableMachine, type MutableWorkload } from "./known.ts";

/** What one instance of a workload reserves; nothing for one that is not known any more. */
export type ResourcesOf = (name: WorkloadName) => Pick<Resources, "cpu" | "memoryBytes">;

/** The workloads that are known, by app and by machine, and what they reserve of each machine. */
export class WorkloadIndex {
  readonly #resourcesOf: ResourcesOf;
  /** By app, then by machine and workload. */
  readonly #apps = new Map<AppId, Map<string, MutableWorkload>>();

  constructor(resourcesOf: ResourcesOf) {
    this.#resourcesOf = resourcesOf;
  }

  /** Apps of which something is known. */
  apps(): readonly AppId[] {
    return [...this.#apps.keys()];
  }

  of(app: AppId): readonly KnownWorkload[] {
    const known = this.#apps.get(app);
    return known === undefined ? [] : [...known.values()];
  }

  instance(id: InstanceId): ObservedInstance | null {
    for (const workload of this.#apps.get(appOfInstance(id))?.values() ?? []) {
      const instance = workload.instances.get(id);
      if (instance !== undefined) return instance;
    }
    return null;
  }

  /** The workload on the machine that has the instance. */
  holding(machine: MachineId, id: InstanceId): MutableWorkload | undefined {
    for (const known of this.#apps.get(appOfInstance(id))?.values() ?? [])
      if (known.machine === machine && known.instances.has(id)) return known;
    return undefined;
  }

  find(machine: MachineId, id: WorkloadId): MutableWorkload | undefined {
    const { space, app } = parseWorkloadId(id);
    return this.#apps.get(appId(space, app))?.get(keyOf(machine, id));
  }

  /** The workload on the machine, known from now on. */
  take(machine: MutableMachine, id: WorkloadId): MutableWorkload {
    const name = parseWorkloadId(id);
    const app = appId(name.space, name.app);
    let workloads = this.#apps.get(app);
    if (workloads === undefined) this.#apps.set(app, (workloads = new Map()));
    const key = keyOf(machine.id, id);
    let known = workloads.get(key);
    if (known === undefined) {
      known = {
        id,
        name,
        machine: machine.id,
        kind: "service",
        count: 0,
        mayHave: 0,
        revision: 0,
        isRemoving: false,
        onlyOne: false,
        order: null,
        status: null,
        instances: new Map(),
        reservedCores: 0,
        reservedBytes: 0,
        reservedInstances: 0,
      };
      workloads.set(key, known);
      machine.workloads.add(known);
    }
    return known;
  }

  /** Something of it went: it reserves what it needs now, or is forgotten if nothing is left of it. */
  settle(machine: MutableMachine, known: MutableWorkload): void {
    if (isOver(known)) this.#forget(machine, known);
    else this.reserve(machine, known);
  }

  #forget(machine: MutableMachine, known: MutableWorkload): void {
    machine.room = null;
    machine.workloads.delete(known);
    machine.reservedCores -= known.reservedCores;
    machine.reservedBytes -= known.reservedBytes;
    machine.reservedInstances -= known.reservedInstances;
    const app = appId(known.name.space, known.name.app);
    const workloads = this.#apps.get(app);
    workloads?.delete(keyOf(known.machine, known.id));
    if (workloads?.size === 0) this.#apps.delete(app);
  }

  /** Counts what it needs now as taken on its machine. */
  reserve(machine: MutableMachine, known: MutableWorkload): void {
    const { cpu, memoryBytes } = this.#resourcesOf(known.name);
    const instances = Math.max(known.count, known.instances.size);
    const cores = instances * (cpu ?? 0);
    const bytes = instances * (memoryBytes ?? 0);
    if (instances === known.reservedInstances && cores === known.reservedCores && bytes === known.reservedBytes) return;
    machine.room = null;
    machine.reservedCores += cores - known.reservedCores;
    machine.reservedBytes += bytes - known.reservedBytes;
    machine.reservedInstances += instances - known.reservedInstances;
    known.reservedCores = cores;
    known.reservedBytes = bytes;
    known.reservedInstances = instances;
  }
}

function keyOf(machine: MachineId, id: WorkloadId): string {
  return `${machine} ${id}`;
}
