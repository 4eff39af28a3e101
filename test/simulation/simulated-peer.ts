import type { SimulatedEngine } from "../../src/agent/engines/testing/simulated-engine.ts";
import type { MachineId } from "../../src/model/names.ts";
import type { AgentPeer } from "../../src/server/fleet/peers.ts";

export interface SimulatedPeerOptions {
  readonly engine: SimulatedEngine;
  readonly machine: MachineId;
  readonly link: AbortController;
  /** Carries an order to the agent, or not. */
  readonly order: (what: string, act: () => Promise<void>) => Promise<void>;
}

/** The agent of a simulated engine, as its server sees it. What simulations do not ask for is not there. */
export function simulatedPeer({ engine, machine, link, order }: SimulatedPeerOptions): AgentPeer {
  const unsupported = async (): Promise<never> => {
    throw new Error("not simulated");
  };
  return {
    machine,
    isRemote: false,
    gone: link.signal,
    describe: () => engine.machine(),
    info: async () => null,
    metrics: async () => null,
    usage: async () => ({ ...(await engine.usage()), agent: { cpuSeconds: 0, memoryBytes: 0 } }),
    watch: (signal) => engine.watch(signal),
    order: async (id) => engine.order(id),
    apply: (workload, signal) =>
      order(`apply ${workload.id} ${workload.count} at ${workload.revision}`, () => engine.apply(workload, signal)),
    remove: (id, revision, signal) => order(`remove ${id}`, () => engine.remove(id, revision, signal)),
    drained: (id) => order(`drained ${id}`, async () => engine.drained(id)),
    lease: async () => null,
    restart: (id, signal) => engine.restart(id, signal),
    forgetApp: (app) => order(`forget ${app}`, async () => {}),
    logs: (query, signal) => engine.logs(query, signal),
    searchLogs: async () => null,
    countLogs: async () => null,
    logContext: async () => null,
    tailLogs: async function* () {},
    remaskTail: async () => null,
    keepLogs: async () => {},
    keptLogs: async () => null,
    unsentLogs: async () => null,
    readUnsentLogs: async () => null,
    exec: unsupported,
    build: () => {
      throw new Error("not simulated");
    },
    knownBuild: async () => null,
    hasArtifact: async () => true,
    putArtifact: unsupported,
    readArtifact: unsupported,
    putChecks: async () => {},
    checkReports: async function* () {},
    runCheck: async () => null,
    look: () => Promise.reject(new Error("the simulation has no providers of machines")),
    artifacts: async () => [],
    removeArtifact: async () => {},
    programs: async () => {
      throw new Error("a simulated machine is not upgraded");
    },
    ownLog: async function* () {},
    putProgramsPart: async () => {},
    startPrograms: async () => {},
    keepPrograms: async () => {},
    programsBack: async () => {},
    giveParts: async () => ({ port: 0, token: "", parts: [] }),
    fetchPart: async () => {},
    close: () => link.abort(new Error("closed")),
  };
}
