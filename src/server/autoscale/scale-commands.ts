import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type AppName, appId, type ProcessName, type SpaceName } from "#model/names.ts";
import { sameData } from "#model/same-data.ts";
import type { ScaleCommand, ScaleMeasure } from "#model/scale.ts";
import { lookEveryMs } from "#plan/autoscale/simulate-autoscale.ts";
import type { EventSink } from "../events/event-log.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import type { SecretMask } from "../view/mask-secrets.ts";
import { longestAnswer, readScaleAnswer } from "./scale-answer.ts";

/** Commands under way at once: an agent runs 32 that look, and pools have theirs there too. */
const mostAtOnce = 8;

export interface ScaleCommandsOptions {
  /** Of the server's machine; null while it is not linked. */
  readonly fleet: { readonly agent: Pick<AgentPeer, "look" | "gone"> | null };
  readonly events: EventSink;
  readonly mask: Pick<SecretMask, "text">;
  readonly clock: Clock;
  readonly log: Log;
}

interface Place {
  readonly space: SpaceName;
  readonly app: AppName;
  readonly process: ProcessName;
}

interface Asked {
  readonly place: Place;
  readonly command: ScaleCommand;
  readonly stop: AbortController;
  state: "resting" | "waiting" | "running";
  /** Instances that there are to be now. */
  wanted: number;
  /** By the clock that never jumps; null: not yet. */
  begunAtMs: number | null;
  last: { readonly measure: ScaleMeasure; readonly atMs: number } | null;
}

/**
 * What the commands of rules say, each asked at its own pace by the agent of the server's machine, as the user of its app and in an empty folder. Nobody waits
 * for an answer: the last one counts until the next, unless it is too old.
 */
export class ScaleCommands {
  readonly #options: ScaleCommandsOptions;
  readonly #signal: AbortSignal;
  readonly #asked = new Map<string, Asked>();
  /** Each of them once, so no more than there are rules. */
  #waiting: Asked[] = [];
  readonly #running = new Set<Promise<void>>();

  constructor(options: ScaleCommandsOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** What the command said last; has it run again where that is due. To be called at each look. */
  ask(key: string, place: Place, command: ScaleCommand, wanted: number): ScaleMeasure {
    const { fleet, clock } = this.#options;
    let asked = this.#asked.get(key);
    if (asked === undefined || !sameData(asked.command, command)) {
      if (asked !== undefined) this.#forget(key, asked);
      asked = { place, command, stop: new AbortController(), state: "resting", wanted, begunAtMs: null, last: null };
      this.#asked.set(key, asked);
    }
    asked.wanted = wanted;
    if (fleet.agent === null) return untold("cannot be run: no agent is linked to this server");
    const nowMs = clock.monotonicMs();
    // Looks waver a little: one that comes a moment early is the one that is meant.
    const isDue = asked.begunAtMs === null || nowMs - asked.begunAtMs > command.everyMs - lookEveryMs / 2;
    if (isDue && asked.state === "resting") {
      asked.state = "waiting";
      this.#waiting.push(asked);
      this.#begin();
    }
    if (asked.last === null) return untold("has not answered yet");
    // As for checks: what was not asked for three intervals says nothing any more.
    if (nowMs - asked.last.atMs > 3 * command.everyMs + command.timeoutMs) return untold("was not run for too long");
    return asked.last.measure;
  }

  /** Ends and forgets all commands but these. */
  forgetOthers(keys: ReadonlySet<string>): void {
    for (const [key, asked] of this.#asked) if (!keys.has(key)) this.#forget(key, asked);
  }

  async stopped(): Promise<void> {
    await Promise.all(this.#running);
  }

  #forget(key: string, asked: Asked): void {
    asked.stop.abort();
    this.#waiting = this.#waiting.filter((one) => one !== asked);
    this.#asked.delete(key);
  }

  #begin(): void {
    while (this.#running.size < mostAtOnce && !this.#signal.aborted) {
      const asked = this.#waiting.shift();
      const { agent } = this.#options.fleet;
      if (asked === undefined) return;
      // The next look asks again.
      asked.state = "resting";
      if (agent === null) continue;
      asked.state = "running";
      asked.begunAtMs = this.#options.clock.monotonicMs();
      const running = this.#run(asked, agent).finally(() => {
        asked.state = "resting";
        this.#running.delete(running);
        this.#begin();
      });
      this.#running.add(running);
    }
  }

  async #run(asked: Asked, agent: Pick<AgentPeer, "look" | "gone">): Promise<void> {
    const { mask, log } = this.#options;
    const { space, app, process } = asked.place;
    const { run, env, timeoutMs } = asked.command;
    const own = { DROVER_SPACE: space, DROVER_APP: app, DROVER_PROCESS: process, DROVER_INSTANCES: String(asked.wanted) };
    const order = { app: appId(space, app), run, env: { ...env, ...own }, timeoutMs, longestAnswer };
    const signal = AbortSignal.any([this.#signal, asked.stop.signal, agent.gone]);
    try {
      const answer = await agent.look(order, signal);
      this.#tell(
        asked,
        readScaleAnswer(asked.command, answer, (text) => mask.text(order.app, text)),
      );
    } catch (error) {
      if (this.#signal.aborted || asked.stop.signal.aborted) return;
      if (agent.gone.aborted) {
        // Nobody knows what it would have said: the next agent is asked as soon as it is there.
        asked.begunAtMs = null;
        asked.last = null;
        return;
      }
      log.warn("command that scales was not run", { app: order.app, process, ...errorFields(error) });
      this.#tell(asked, untold(`could not be run: ${error instanceof DroverError ? error.message : "its agent failed"}`));
    }
  }

  /** An event says that it cannot be followed any more, once: what comes of an answer is told as a change of the count. */
  #tell(asked: Asked, measure: ScaleMeasure): void {
    const { events, clock } = this.#options;
    const { space, app, process } = asked.place;
    const wasTold = asked.last === null || asked.last.measure.missing === null;
    asked.last = { measure, atMs: clock.monotonicMs() };
    if (measure.missing === null || !wasTold) return;
    events.append({
      kind: "app.scale-unknown",
      space,
      app,
      message: `how many instances process "${process}" of app "${app}" is to have is not known, and none goes: ${measure.missing}`,
      details: { process },
    });
  }
}

function untold(why: string): ScaleMeasure {
  return { amount: 0, missing: `its command ${why}` };
}
