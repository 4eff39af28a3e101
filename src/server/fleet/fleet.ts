import { PeerSilent } from "#link/keep-alive.ts";
import { DroverError } from "#model/errors.ts";
import { type AppId, appId, appOfInstance, type InstanceId, type MachineId, parseWorkloadId, type WorkloadId } from "#model/names.ts";
import type { EngineChange, Instance, Machine, Workload, WorkloadStatus } from "#model/workload.ts";
import type { MachineRoom } from "#plan/placement/plan-placement.ts";
import type { ObservedInstance } from "#plan/rollout/input.ts";
import {
  type KnownMachine,
  type KnownWorkload,
  type MachineStanding,
  type MutableMachine,
  type MutableWorkload,
  roomOf,
  runsThere,
} from "./known.ts";
import type { AgentPeer } from "./peers.ts";
import { type ResourcesOf, WorkloadIndex } from "./workload-index.ts";

/** Drover's own programs are workloads of this space at their agent; they are no app's. */
const ownSpace = "drover";

const nothing: ReadonlySet<AppId> = new Set();
const noWorkloads: ReadonlySet<KnownWorkload> = new Set();

const plain: MachineStanding = { labels: {}, isCordoned: false, isDraining: false };

export interface FleetOptions {
  readonly resourcesOf: ResourcesOf;
  /** What is declared of a machine; left out: nothing of any. */
  readonly standingOf?: (machine: MachineId) => MachineStanding;
  /** Something of the app changed. */
  readonly onApp: (app: AppId) => void;
  /** One instance changed, appeared (`before` null) or went (`after` null). Not called for what a snapshot shows for the first time. */
  readonly onInstance: (before: ObservedInstance | null, after: ObservedInstance | null) => void;
  /** A machine linked and reported everything, or its link was lost. */
  readonly onMachine: (machine: KnownMachine) => void;
}

/**
 * Observed state, in memory only: what the agents report, by app, so that a change costs what it touches and no more.
 * When an agent is gone, what it reported stays as it was: unknown is not gone.
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #machines = new Map<MachineId, MutableMachine>();
  readonly #workloads: WorkloadIndex;
  /** Made once for all that ask while no machine comes or goes. */
  #agents: readonly AgentPeer[] | null = null;
  /** Whether the machine beside the server has linked since the server's start. */
  #hasOwn = false;
  /** Members that have not linked since the server's start and may run whatever. */
  readonly #awaited = new Set<MachineId>();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#workloads = new WorkloadIndex(options.resourcesOf);
  }

  /** Workloads that are known of an app, with their instances, by machine. */
  workloads(app: AppId): readonly KnownWorkload[] {
    return this.#workloads.of(app);
  }

  /** Ids of apps of which something is known. */
  apps(): readonly AppId[] {
    return this.#workloads.apps();
  }

  instance(id: InstanceId): ObservedInstance | null {
    return this.#workloads.instance(id);
  }

  /** The agent that an instance is at, if it can be asked. */
  agentOf(id: InstanceId): AgentPeer | null {
    const instance = this.instance(id);
    return instance === null ? null : this.agentOn(instance.machine);
  }

  /** The machine's agent, if it takes orders now. */
  agentOn(id: MachineId): AgentPeer | null {
    const machine = this.#machines.get(id);
    return machine?.isKnown === true ? machine.peer : null;
  }

  /** Agents that take orders now, the one beside the server first. */
  agents(): readonly AgentPeer[] {
    this.#agents ??= [...this.#machines.values()]
      .flatMap(({ peer, isKnown }) => (peer !== null && isKnown ? [peer] : []))
      .sort((a, b) => Number(a.isRemote) - Number(b.isRemote) || (a.machine < b.machine ? -1 : 1));
    return this.#agents;
  }

  /** Where other machines reach the machine; null where there are no others. */
  addressOf(id: MachineId): string | null {
    return this.#machines.get(id)?.machine.address ?? null;
  }

  machines(): readonly KnownMachine[] {
    return [...this.#machines.values()];
  }

  instancesOn(id: MachineId): number {
    let count = 0;
    for (const { instances } of this.workloadsOn(id)) count += instances.size;
    return count;
  }

  /** What the machine was told to run, or runs, of all apps. */
  workloadsOn(id: MachineId): ReadonlySet<KnownWorkload> {
    return this.#machines.get(id)?.workloads ?? noWorkloads;
  }

  /** What the machine was told to run, or runs, that must never run twice. */
  onlyOnes(id: MachineId): readonly KnownWorkload[] {
    return [...this.workloadsOn(id)].filter(({ onlyOne }) => onlyOne);
  }

  /** The agent beside the server, which builds and runs what is no app's; null while it is not linked and known. */
  get agent(): AgentPeer | null {
    for (const { peer, isKnown, isRemote } of this.#machines.values()) if (isKnown && !isRemote) return peer;
    return null;
  }

  /**
   * Whether enough is known to decide about apps: what is not known of may run on a machine that has not told yet. After that, a machine that cannot be
   * asked keeps nobody from deciding for the others.
   */
  get isKnown(): boolean {
    return this.#hasOwn && this.#awaited.size === 0 && this.agents().length > 0;
  }

  /** Decides nothing before this machine has told everything, or is given up. */
  await(machine: MachineId): void {
    this.#awaited.add(machine);
  }

  /** @throws {DroverError} CLUSTER_UNREACHABLE */
  requireAgent(): AgentPeer {
    const { agent } = this;
    if (agent !== null) return agent;
    throw new DroverError("CLUSTER_UNREACHABLE", "no agent is linked to this server", {
      hint: 'The agent starts with "drover up" and links by itself within a second; its log says why if it does not.',
    });
  }

  /** What is free on the machines that take orders. */
  rooms(): readonly MachineRoom[] {
    const rooms: MachineRoom[] = [];
    for (const machine of this.#machines.values())
      if (machine.peer !== null && machine.isKnown) rooms.push((machine.room ??= roomOf(machine)));
    return rooms;
  }

  /** A new link of a machine's agent; an older one of the same machine is closed. Orders given through it count as unknown. */
  linked(peer: AgentPeer, machine: Machine): void {
    this.#agents = null;
    if (!peer.isRemote) this.#hasOwn = true;
    const known = this.#machines.get(peer.machine);
    const standing = this.#options.standingOf?.(peer.machine) ?? plain;
    if (known === undefined) {
      const empty = { reservedCores: 0, reservedBytes: 0, reservedInstances: 0, workloads: new Set<MutableWorkload>(), room: null };
      this.#machines.set(peer.machine, {
        id: peer.machine,
        machine,
        peer,
        isKnown: false,
        isRemote: peer.isRemote,
        silentMs: 0,
        standing,
        gaveUp: nothing,
        ...empty,
      });
      return;
    }
    if (known.peer !== null && known.peer !== peer) known.peer.close();
    known.peer = peer;
    known.isRemote = peer.isRemote;
    known.machine = machine;
    known.standing = standing;
    known.room = null;
    known.isKnown = false;
  }

  /** What is declared of the machine changed. */
  standingChanged(id: MachineId): void {
    const machine = this.#machines.get(id);
    if (machine === undefined) return;
    machine.room = null;
    machine.standing = this.#options.standingOf?.(id) ?? plain;
  }

  unlinked(peer: AgentPeer): void {
    const known = this.#machines.get(peer.machine);
    if (known === undefined || known.peer !== peer) return;
    known.peer = null;
    known.isKnown = false;
    known.silentMs = peer.gone.reason instanceof PeerSilent ? peer.gone.reason.silentMs : 0;
    this.#agents = null;
    this.#options.onMachine(known);
  }

  /** A machine that was removed: nothing of it counts any more. */
  forgetMachine(id: MachineId): void {
    this.#awaited.delete(id);
    const machine = this.#machines.get(id);
    if (machine === undefined) return;
    const { peer } = machine;
    machine.peer = null;
    machine.isKnown = false;
    this.#agents = null;
    peer?.close();
    this.giveUp(id);
    this.#machines.delete(id);
    this.#options.onMachine(machine);
  }

  /** A machine that is lost: what it ran counts as gone. What it still runs is told anew when it comes back. */
  giveUp(id: MachineId): void {
    this.#awaited.delete(id);
    const machine = this.#machines.get(id);
    if (machine === undefined || machine.peer !== null) return;
    machine.gaveUp = new Set([...machine.workloads].filter(runsThere).map(({ name }) => appId(name.space, name.app)));
    for (const known of [...machine.workloads]) {
      for (const instance of [...known.instances.keys()]) this.#foldInstanceGone(machine, instance);
      this.#foldWorkloadGone(machine, known.id);
    }
  }

  /** Folds in one report of an agent. */
  fold(peer: AgentPeer, change: EngineChange): void {
    const machine = this.#machines.get(peer.machine);
    if (machine === undefined || machine.peer !== peer) return;
    switch (change.kind) {
      case "snapshot":
        this.#foldSnapshot(machine, change.workloads, change.instances);
        break;
      case "workload":
        this.#foldStatus(machine, change.workload);
        break;
      case "workload-gone":
        this.#foldWorkloadGone(machine, change.id);
        break;
      case "instance":
        this.#foldInstance(machine, change.instance);
        break;
      case "instance-gone":
        this.#foldInstanceGone(machine, change.id);
        break;
      default:
        change satisfies never;
    }
  }

  /** The agent took this order: counts as known at once, so that the next plan does not give it again. */
  ordered(peer: AgentPeer, workload: Workload, order: string): void {
    const machine = this.#machines.get(peer.machine);
    if (machine === undefined || machine.peer !== peer) return;
    const known = this.#workloads.take(machine, workload.id);
    known.kind = workload.kind;
    known.count = workload.count;
    // The report that the order was taken can come before the answer that it was.
    const isConfirmed = known.status?.revision === workload.revision && known.status.count === workload.count;
    known.mayHave = isConfirmed ? workload.count : Math.max(known.mayHave, workload.count);
    known.revision = workload.revision;
    known.isRemoving = false;
    known.onlyOne = workload.onlyOne === true;
    known.order = order;
    this.#workloads.reserve(machine, known);
    this.#options.onApp(appId(known.name.space, known.name.app));
  }

  /** The agent took the order to remove this workload. */
  removed(peer: AgentPeer, id: WorkloadId, revision: number): void {
    const machine = this.#machines.get(peer.machine);
    const known = this.#workloads.find(peer.machine, id);
    if (machine === undefined || machine.peer !== peer || known === undefined) return;
    known.count = 0;
    if (known.status?.revision === revision && known.status.count === 0) known.mayHave = 0;
    known.revision = revision;
    known.isRemoving = true;
    known.order = null;
    this.#workloads.settle(machine, known);
    this.#options.onApp(appId(known.name.space, known.name.app));
  }

  #foldSnapshot(machine: MutableMachine, workloads: readonly WorkloadStatus[], instances: readonly Instance[]): void {
    const statuses = new Map(workloads.map((status) => [status.id, status]));
    const reported = new Map(instances.map((instance) => [instance.id, instance]));
    const isFirst = !machine.isKnown;
    for (const known of [...machine.workloads]) {
      for (const instance of known.instances.values()) if (!reported.has(instance.id)) this.#foldInstanceGone(machine, instance.id);
      if (isFirst) {
        known.order = null;
        known.isRemoving = false;
        known.mayHave = 0;
      }
      if (!statuses.has(known.id)) this.#foldWorkloadGone(machine, known.id);
    }
    for (const status of workloads) this.#foldStatus(machine, status);
    for (const instance of instances) this.#foldInstance(machine, instance);
    machine.isKnown = true;
    machine.gaveUp = nothing;
    this.#awaited.delete(machine.id);
    this.#agents = null;
    this.#options.onMachine(machine);
  }

  #foldStatus(machine: MutableMachine, status: WorkloadStatus): void {
    const name = parseWorkloadId(status.id);
    if (name.space === ownSpace) return;
    const known = this.#workloads.take(machine, status.id);
    known.status = status;
    known.kind = status.kind;
    known.onlyOne ||= status.onlyOne === true;
    // What was ordered through this link is known better here: a report that was under way meanwhile must not undo it.
    const isKnownBetter = known.order !== null || known.isRemoving;
    if (!isKnownBetter || status.revision > known.revision) {
      known.count = status.count;
      known.revision = status.revision;
      known.isRemoving = false;
    }
    if (status.count === known.count) known.mayHave = known.count;
    this.#workloads.reserve(machine, known);
    this.#options.onApp(appId(name.space, name.app));
  }

  #foldWorkloadGone(machine: MutableMachine, id: WorkloadId): void {
    const known = this.#workloads.find(machine.id, id);
    if (known === undefined) return;
    known.status = null;
    known.order = null;
    known.isRemoving = true;
    known.count = 0;
    known.mayHave = 0;
    this.#workloads.settle(machine, known);
    this.#options.onApp(appId(known.name.space, known.name.app));
  }

  #foldInstance(machine: MutableMachine, instance: Instance): void {
    const name = parseWorkloadId(instance.workload);
    if (name.space === ownSpace) return;
    const known = this.#workloads.take(machine, instance.workload);
    const before = known.instances.get(instance.id) ?? null;
    const isNowReady = instance.ready && instance.state === "running";
    const after = {
      ...instance,
      // An agent knows its instances by its own loopback; others reach them by the machine's address.
      host: machine.machine.address ?? instance.host,
      everReady: (before?.everReady ?? false) || isNowReady,
      readySinceStart: isNowReady || (before?.readySinceStart === true && before.startedAtMs === instance.startedAtMs),
    };
    known.instances.set(instance.id, after);
    this.#workloads.reserve(machine, known);
    if (machine.isKnown) this.#options.onInstance(before, after);
    this.#options.onApp(appId(name.space, name.app));
  }

  #foldInstanceGone(machine: MutableMachine, id: InstanceId): void {
    const known = this.#workloads.holding(machine.id, id);
    const before = known?.instances.get(id);
    if (known === undefined || before === undefined) return;
    known.instances.delete(id);
    this.#options.onInstance(before, null);
    this.#workloads.settle(machine, known);
    this.#options.onApp(appOfInstance(id));
  }
}
