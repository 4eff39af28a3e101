import { randomUUID } from "node:crypto";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { TailMasks } from "#model/log-event.ts";
import { followStore } from "../controllers/follow-store.ts";
import type { Subscribers } from "../controllers/subscribers.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { type LogMasksOptions, masksFor } from "./log-masks.ts";

/** Wait before an agent that did not take the masks, or has not begun to read yet, is told them again. */
const againMs = 250;

export interface PresentMasksOptions extends LogMasksOptions {
  readonly fleet: Pick<Fleet, "apps" | "workloads">;
  readonly subscribers: Subscribers;
  readonly clock: Clock;
  readonly log: Log;
}

interface Tail {
  readonly agent: AgentPeer;
  readonly reader: string;
  readonly signal: AbortSignal;
  /** The masks that it has, as text. */
  told: string;
  isTelling: boolean;
}

/** Keeps what tails of agents must not find as the secrets are: one may be set, or be given to what runs there, long after somebody began to follow. */
export class PresentMasks {
  readonly #options: PresentMasksOptions;
  readonly #prefixes: readonly string[];
  readonly #tails = new Set<Tail>();
  readonly #work = new Set<Promise<void>>();

  /** @param prefixes of instances that are followed */
  constructor(options: PresentMasksOptions, prefixes: readonly string[], signal: AbortSignal) {
    this.#options = options;
    this.#prefixes = prefixes;
    const tellAll = () => {
      for (const tail of this.#tails) this.#tell(tail);
    };
    this.#own(followStore("/secrets/", tellAll, tellAll, options, signal));
    this.#own(this.#followWorkloads(signal));
  }

  /** What a tail at the agent begins with; it is told what changes until the signal aborts. */
  begin(agent: AgentPeer, signal: AbortSignal): TailMasks {
    const masks = masksFor(this.#options, agent, this.#prefixes);
    const tail: Tail = { agent, reader: randomUUID(), signal, told: JSON.stringify(masks), isTelling: false };
    if (!signal.aborted) {
      this.#tails.add(tail);
      signal.addEventListener("abort", () => this.#tails.delete(tail), { once: true });
    }
    return { reader: tail.reader, masks };
  }

  /** Once the signal has aborted and nobody is told anything any more. */
  async stopped(): Promise<void> {
    await Promise.all(this.#work);
  }

  /** A machine gets the secrets of what it runs, and so what it must not find changes with that. */
  async #followWorkloads(signal: AbortSignal): Promise<void> {
    const { fleet, subscribers } = this.#options;
    const follower = subscribers.follow(null);
    try {
      while (!signal.aborted) {
        const machines = new Set([...(await follower.next(signal))].flatMap((app) => fleet.workloads(app).map(({ machine }) => machine)));
        for (const tail of this.#tails) if (tail.agent.isRemote && machines.has(tail.agent.machine)) this.#tell(tail);
      }
    } finally {
      follower.close();
    }
  }

  #tell(tail: Tail): void {
    if (tail.isTelling) return;
    this.#own(this.#bring(tail));
  }

  #own(work: Promise<void>): void {
    const owned = work.finally(() => this.#work.delete(owned));
    this.#work.add(owned);
  }

  /** Until it has taken what is so by then; one call after the other, so that what is older never comes last. */
  async #bring(tail: Tail): Promise<void> {
    const { clock, log } = this.#options;
    const { agent, reader, signal } = tail;
    tail.isTelling = true;
    try {
      while (!signal.aborted) {
        const masks = masksFor(this.#options, agent, this.#prefixes);
        const text = JSON.stringify(masks);
        if (tail.told === text) return;
        try {
          const answer = await agent.remaskTail({ reader, masks }, signal);
          if (answer === null) return;
          if (answer.isRead) tail.told = text;
          else await pause(clock, againMs, signal);
        } catch (error) {
          if (signal.aborted) return;
          log.warn("a tail does not know the present secrets", { machine: agent.machine, ...errorFields(error) });
          await pause(clock, againMs, signal);
        }
      }
    } finally {
      tail.isTelling = false;
    }
  }
}
