import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type KeepRules, keepRuleOf } from "#model/log-keep.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import { followStore } from "./follow-store.ts";

/** Wait before an agent that did not take the rules is told them again. */
const againMs = 5_000;

export interface LogKeepingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/** Tells agents how long spaces want their lines kept: each when it links, and all when a space changes. */
export class LogKeeping {
  readonly #options: LogKeepingOptions;
  readonly #signal: AbortSignal;
  /** What each linked agent has taken last. */
  readonly #taken = new Map<AgentPeer, string>();
  /** Agents that are being told. */
  readonly #busy = new Set<AgentPeer>();
  readonly #following: Promise<void>;
  readonly #telling = new Set<Promise<void>>();

  constructor(options: LogKeepingOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const tellAll = () => {
      for (const agent of this.#taken.keys()) this.#tell(agent);
    };
    this.#following = followStore("/spaces/", tellAll, tellAll, options, signal);
  }

  follow(agent: AgentPeer): void {
    this.#taken.set(agent, "");
    agent.gone.addEventListener("abort", () => this.#taken.delete(agent), { once: true });
    this.#tell(agent);
  }

  #tell(agent: AgentPeer): void {
    if (this.#busy.has(agent)) return;
    this.#busy.add(agent);
    const telling = this.#bring(agent).finally(() => this.#telling.delete(telling));
    this.#telling.add(telling);
  }

  /** Once the signal has aborted and nobody is told anything any more. */
  async stopped(): Promise<void> {
    await this.#following;
    await Promise.all(this.#telling);
  }

  /** Until it has taken what is wanted by then; one call after the other, so that what is older never comes last. */
  async #bring(agent: AgentPeer): Promise<void> {
    const { store, clock, log } = this.#options;
    const signal = AbortSignal.any([this.#signal, agent.gone]);
    try {
      while (!signal.aborted) {
        const rules = keepRules(store);
        const text = JSON.stringify(rules);
        if (this.#taken.get(agent) === text) return;
        try {
          await agent.keepLogs(rules, signal);
          if (!signal.aborted) this.#taken.set(agent, text);
        } catch (error) {
          // One from before there was such a call keeps lines as it always did.
          if (signal.aborted || (error instanceof DroverError && error.code === "ROUTE_UNKNOWN")) return;
          log.warn("an agent does not know how long lines are to be kept", { machine: agent.machine, ...errorFields(error) });
          await pause(clock, againMs, signal);
        }
      }
    } finally {
      this.#busy.delete(agent);
    }
  }
}

function keepRules(store: Store): KeepRules {
  const said = objects.spaces(store).filter(({ value }) => value.logs?.keep !== undefined);
  return Object.fromEntries(said.map(({ value }) => [value.name, keepRuleOf(value)]));
}
