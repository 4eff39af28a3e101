import type { Log } from "#model/log.ts";
import type { Digest } from "#model/names.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";

/** Brings artifacts to the machines that are to run them: they are where they were built, and on machines that ran them before. */
export class ArtifactCopies {
  readonly #fleet: Fleet;
  readonly #log: Log;
  /** What each link's agent is known to have. It keeps what its orders use. */
  readonly #has = new WeakMap<AgentPeer, Set<Digest>>();

  constructor(fleet: Fleet, log: Log) {
    this.#fleet = fleet;
    this.#log = log;
  }

  /** Resolves once the agent has it, or nobody has: the agent then says what it misses. */
  async bring(digest: Digest, to: AgentPeer, signal: AbortSignal): Promise<void> {
    const others = this.#fleet.agents().filter((agent) => agent !== to);
    if (others.length === 0) return;
    const known = this.#has.get(to) ?? new Set();
    this.#has.set(to, known);
    if (known.has(digest)) return;
    if (!(await to.hasArtifact(digest, signal))) {
      const from = await this.#find(digest, others, signal);
      if (from === null) return;
      await to.putArtifact(digest, await from.readArtifact(digest, signal), signal);
      this.#log.info("artifact copied", { artifact: digest, from: from.machine, to: to.machine });
    }
    known.add(digest);
  }

  async #find(digest: Digest, agents: readonly AgentPeer[], signal: AbortSignal): Promise<AgentPeer | null> {
    for (const agent of agents) if (await agent.hasArtifact(digest, signal)) return agent;
    return null;
  }
}
