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
  /** What each linked agent was told last, or is being told. */
  readonly #told = new Map<AgentPeer, string>();
  readonly #following: Promise<void>;
  readonly #telling = new Set<Promise<void>>();

  constructor(options: LogKeepingOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const tellAll = () => {
      for (const agent of this.#told.keys()) this.#tell(agent);
    };
    this.#following = followStore("/spaces/", tellAll, tellAll, options, signal);
  }

  follow(agent: AgentPeer): void {
    this.#told.set(agent, "");
    agent.gone.addEventListener("abort", () => this.#told.delete(agent), { once: true });
    this.#tell(agent);
  }

  #tell(agent: AgentPeer): void {
    const rules = keepRules(this.#options.store);
    const text = JSON.stringify(rules);
    if (this.#told.get(agent) === text) return;
    this.#told.set(agent, text);
    const telling = this.#put(agent, rules, text).finally(() => this.#telling.delete(telling));
    this.#telling.add(telling);
  }

  /** Once the signal has aborted and nobody is told anything any more. */
  async stopped(): Promise<void> {
    await this.#following;
    await Promise.all(this.#telling);
  }

  async #put(agent: AgentPeer, rules: KeepRules, text: string): Promise<void> {
    const signal = AbortSignal.any([this.#signal, agent.gone]);
    // Until it has taken them, or was told others.
    while (!signal.aborted && this.#told.get(agent) === text) {
      try {
        await agent.keepLogs(rules, signal);
        return;
      } catch (error) {
        // One from before there was such a call keeps lines as it always did.
        if (signal.aborted || (error instanceof DroverError && error.code === "ROUTE_UNKNOWN")) return;
        this.#options.log.warn("an agent does not know how long lines are to be kept", { machine: agent.machine, ...errorFields(error) });
        await pause(this.#options.clock, againMs, signal);
      }
    }
  }
}

function keepRules(store: Store): KeepRules {
  const said = objects.spaces(store).filter(({ value }) => value.logs?.keep !== undefined);
  return Object.fromEntries(said.map(({ value }) => [value.name, keepRuleOf(value)]));
}
