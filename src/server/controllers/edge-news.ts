import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { MachineId } from "#model/names.ts";
import type { EventLog } from "../events/event-log.ts";
import type { EdgePeer } from "../fleet/peers.ts";
import { edgeProblem } from "../view/edge-problems.ts";

/** How often an edge is asked what is wrong. What lasts for less, such as a port that is taken over, is nothing to be told of. */
const everyMs = 10_000;

export interface EdgeNewsOptions {
  readonly events: EventLog;
  readonly clock: Clock;
  readonly log: Log;
}

/** Tells as events what goes wrong at edges, and when it is over; each once, also when another edge of the machine takes the place of the first. */
export class EdgeNews {
  readonly #options: EdgeNewsOptions;
  /** What was told and is not over, by machine and by what it is about. */
  readonly #told = new Map<MachineId, Map<string, string>>();

  readonly #running = new Set<Promise<void>>();

  constructor(options: EdgeNewsOptions) {
    this.#options = options;
  }

  /** Asks the edge until it is gone, or the signal aborts. */
  follow(peer: EdgePeer, parent: AbortSignal): void {
    const running = this.#run(peer, parent);
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  /** Resolves once nobody is asked any more. */
  async stopped(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #run(peer: EdgePeer, parent: AbortSignal): Promise<void> {
    // It only finishes what it has; what it cannot do any more its successor does.
    if (peer.isLeaving) return;
    const { clock, log } = this.#options;
    const signal = AbortSignal.any([parent, peer.gone]);
    while (!signal.aborted) {
      await pause(clock, everyMs, signal);
      if (signal.aborted) return;
      try {
        this.#tell(peer, await peer.problems(signal));
      } catch (error) {
        if (!signal.aborted) log.warn("edge did not say what is wrong", { machine: peer.machine, ...errorFields(error) });
      }
    }
  }

  #tell(peer: EdgePeer, problems: Awaited<ReturnType<EdgePeer["problems"]>>): void {
    const { events } = this.#options;
    const before = this.#told.get(peer.machine) ?? new Map<string, string>();
    const now = new Map<string, string>();
    for (const problem of problems) {
      const { code, message } = edgeProblem(peer, problem);
      const key = `${code} ${problem.route}`;
      now.set(key, message);
      if (!before.has(key))
        events.append({ kind: "edge.problem", subject: peer.machine, message, details: { code, route: problem.route } });
    }
    for (const [key, message] of before)
      if (!now.has(key)) events.append({ kind: "edge.recovered", subject: peer.machine, message: `over: ${message}` });
    this.#told.set(peer.machine, now);
  }
}
