import type { MachineView } from "#model/api-machines.ts";
import type { AppId, MachineId } from "#model/names.ts";
import type { Core } from "../controllers/core.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { MachineIdentities } from "../members/machine-identities.ts";
import { listMembers } from "../members/members.ts";
import { standingOf } from "../members/standings.ts";
import { parse } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import { stayingOn } from "./staying.ts";

/** Machines that have linked since the server's start, and those that have joined and have not: of the latter only that much is known. */
export function viewMachines(
  store: Store,
  core: Pick<Core, "fleet" | "apps">,
  machines?: Pick<MachineIdentities, "entryOf">,
  isPublic: (machine: MachineId) => boolean | null = () => null,
): readonly MachineView[] {
  const { fleet } = core;
  const members = new Map(listMembers(store).map((member) => [member.name, member]));
  const entryOf = (id: MachineId) => machines?.entryOf(id) ?? null;
  const said = (id: MachineId) => standingOf(store, id);
  const rooms = new Map(fleet.rooms().map((room) => [room.id, room]));
  const free = (id: MachineId) => {
    const room = rooms.get(id);
    return room === undefined ? null : { cores: room.freeCores, memoryBytes: room.freeMemoryBytes };
  };
  const isLost = (id: MachineId) => members.get(id)?.lostAtMs !== undefined;
  const seen = fleet.machines().map(({ id, machine, peer, isKnown }) => ({
    id,
    hostName: machine.hostName,
    cores: machine.cores,
    memoryBytes: machine.memoryBytes,
    instances: fleet.instancesOn(id),
    pending: pendingOn(fleet, id),
    known: isKnown || (peer === null && isLost(id)),
    linked: peer !== null,
    joined: members.has(id),
    ...said(id),
    bound: boundTo(store, id).reduce((sum, app) => sum + instancesOf(fleet, app, id), 0),
    volumesOf: [...boundTo(store, id)],
    staying: [...stayingOn({ store, core, boundTo: (of) => boundTo(store, of) }, id)],
    pool: null,
    version: machine.program?.version ?? null,
    address: machine.address ?? null,
    entry: entryOf(id),
    public: isPublic(id),
    isolation: machine.isolation,
    free: free(id),
  }));
  const known = new Set(seen.map(({ id }) => id));
  const unseen = [...members.values()]
    .filter(({ name }) => !known.has(name))
    .map(({ name }) => ({
      id: name,
      hostName: name,
      cores: 0,
      memoryBytes: 0,
      instances: 0,
      pending: 0,
      known: isLost(name),
      linked: false,
      joined: true,
      ...said(name),
      bound: 0,
      volumesOf: [...boundTo(store, name)],
      staying: [],
      pool: null,
      version: null,
      address: null,
      entry: entryOf(name),
      public: isPublic(name),
      isolation: {},
      free: null,
    }));
  return [...seen, ...unseen].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Instances that the machine was told to start and has not told of yet. */
function pendingOn(fleet: Fleet, machine: MachineId): number {
  let pending = 0;
  for (const { count, instances } of fleet.workloadsOn(machine)) pending += Math.max(0, count - instances.size);
  return pending;
}

/** Apps whose volumes are on the machine. */
export function boundTo(store: Store, machine: MachineId): readonly AppId[] {
  return store
    .list("/homes/")
    .filter((entry) => parse<{ readonly machine: MachineId }>(entry).value.machine === machine)
    .map(({ key }) => key.slice("/homes/".length) as AppId);
}

function instancesOf(fleet: Fleet, app: AppId, machine: MachineId): number {
  return fleet.workloads(app).reduce((sum, workload) => sum + (workload.machine === machine ? workload.instances.size : 0), 0);
}
