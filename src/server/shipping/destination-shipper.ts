import { failpoint } from "#host/failpoint.ts";
import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { LogMasks } from "#model/log-mask.ts";
import type { UnsentAnswer } from "#model/log-shipping.ts";
import type { MachineId } from "#model/names.ts";
import type { EventLog } from "../events/event-log.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import type { SecretMask } from "../view/mask-secrets.ts";
import { deliver } from "./deliver.ts";
import type { Destination } from "./destinations.ts";
import { Lane } from "./lane.ts";
import { noProgress, type Progress, type ProgressFiles } from "./progress.ts";
import type { Receiver, Refusal } from "./receiver.ts";
import { shippedEvent } from "./shipped-event.ts";
import { Trouble } from "./trouble.ts";

/** Of a batch's text: most receivers take a megabyte, and what is made of it for one is two or three times as long. */
const batchBytes = 256 * 1024;
/** Batches under way to one receiver at once, each of another machine: they and what is made of them are held in memory. */
const mostBatches = 4;
/** How long an agent is waited for to have something; then it is asked anew. */
const waitMs = 20_000;
/** Before a machine that has only lines which are too young, or could not be asked, is asked again. */
const againMs = 1_000;

export interface DestinationShipperOptions {
  readonly destination: Destination;
  readonly receiver: Receiver;
  readonly files: ProgressFiles;
  readonly mask: SecretMask;
  /** What is not shown of an agent's lines, so that no search finds it. */
  readonly masksFor: (agent: AgentPeer, prefixes: readonly string[]) => LogMasks;
  readonly events: Pick<EventLog, "append">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** How it is with the lines of one machine. */
export interface MachineShipping {
  readonly machine: MachineId;
  readonly progress: Progress;
  readonly unsent: UnsentAnswer;
  /** Why its lines cannot be read; null: they can. */
  readonly problem: string | null;
}

/**
 * Sends the lines of all machines to one destination, each machine's in their order: what is unread there is read in batches, sent, and only then is
 * the new place written down. So a crash of whatever comes between sends the latest batch again, and loses none.
 */
export class DestinationShipper {
  readonly destination: Destination;
  readonly trouble: Trouble;
  readonly #options: DestinationShipperOptions;
  readonly #lane: Lane;
  readonly #signal: AbortSignal;
  readonly #machines = new Map<MachineId, MachineShipping>();
  readonly #running = new Map<MachineId, { readonly agent: AgentPeer; readonly ended: Promise<void> }>();

  constructor(options: DestinationShipperOptions, signal: AbortSignal) {
    const { destination, events, clock, random } = options;
    this.#options = { ...options, log: options.log.with({ space: destination.space, destination: destination.name }) };
    this.destination = destination;
    this.trouble = new Trouble({ destination, events, clock });
    this.#lane = new Lane({ most: mostBatches, clock, random });
    this.#signal = signal;
  }

  /** Of machines that were linked since this began, by name. */
  get machines(): readonly MachineShipping[] {
    return [...this.#machines.values()].sort((a, b) => (a.machine < b.machine ? -1 : 1));
  }

  /** Sends what is on the agent's machine, until its link is gone. */
  follow(agent: AgentPeer): void {
    const before = this.#running.get(agent.machine);
    if (before?.agent === agent || this.#signal.aborted) return;
    // One place is written by one alone: the loop of a link that was lost ends first.
    const ended = (before?.ended ?? Promise.resolve()).then(() => this.#ship(agent, AbortSignal.any([this.#signal, agent.gone])));
    const running = { agent, ended };
    this.#running.set(agent.machine, running);
    void ended.finally(() => {
      if (this.#running.get(agent.machine) === running) this.#running.delete(agent.machine);
    });
  }

  async stopped(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    this.#options.receiver.close();
  }

  async #ship(agent: AgentPeer, signal: AbortSignal): Promise<void> {
    const { machine } = agent;
    const { destination, files, clock, log } = this.#options;
    let last: string | null = null;
    while (!signal.aborted) {
      try {
        const known =
          this.#machines.get(machine)?.progress ?? (await files.read(destination.space, destination.name, machine, destination.sinceMs));
        const question = { ...destination.scope, places: known.places, sinceMs: destination.sinceMs };
        const unsent = await agent.unsentLogs({ ...question, waitMs }, signal);
        if (unsent === null) return this.#note(machine, { progress: known, problem: "its agent is too old to have its lines sent" });
        this.#note(machine, { progress: known, unsent, problem: null });
        if (unsent.lines === 0) continue;
        const turn = await this.#sendNext(agent, known, last, signal);
        last = turn.last;
        if (!turn.hasProgress) await pause(clock, againMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#note(machine, { problem: error instanceof Error ? error.message : String(error) });
        log.warn("lines of a machine could not be sent on", { machine, ...errorFields(error) });
        await pause(clock, againMs, signal);
      }
    }
  }

  /** Reads and sends one batch. A batch that fails is let go of, and read again by the next attempt, which may be minutes later. */
  async #sendNext(
    agent: AgentPeer,
    known: Progress,
    after: string | null,
    signal: AbortSignal,
  ): Promise<{ readonly hasProgress: boolean; readonly last: string | null }> {
    const { destination, receiver, files, mask, masksFor, clock } = this.#options;
    const { space, name, scope, query, sinceMs } = destination;
    await this.#lane.enter(signal);
    try {
      const masks = query === "" ? {} : { masks: masksFor(agent, scope.of) };
      const read = { ...scope, ...masks, query, sinceMs, places: known.places, after, limitBytes: batchBytes };
      const batch = await agent.readUnsentLogs(read, signal);
      if (batch === null || Object.keys(batch.places).length === 0) return { hasProgress: false, last: after };
      const events = batch.events.map((event) => shippedEvent(mask.event(event)));
      const outcome = await deliver(receiver, events, signal);
      if (outcome.kind === "failed") {
        this.trouble.failed(outcome.why, this.#lane.failed(outcome.retryAfterMs));
        return { hasProgress: true, last: after };
      }
      failpoint("logs.shipped.before-note");
      const refused = outcome.refused.length;
      const progress: Progress = {
        sinceMs,
        places: { ...known.places, ...batch.places },
        sent: known.sent + events.length - refused,
        refused: known.refused + refused,
        lostLines: known.lostLines + batch.lostLines,
        sentAtMs: events.length > refused ? clock.nowMs() : known.sentAtMs,
      };
      await files.write(space, name, agent.machine, progress);
      this.#note(agent.machine, { progress });
      this.#tell(agent.machine, batch.lostLines, events.length - refused, outcome.refused);
      return { hasProgress: true, last: batch.last };
    } finally {
      this.#lane.leave();
    }
  }

  #tell(machine: MachineId, lostLines: number, sent: number, refused: readonly Refusal[]): void {
    const [first] = refused;
    if (sent > 0 || first !== undefined) this.trouble.succeeded();
    if (sent > 0) this.#lane.succeeded();
    // Who refuses all of a batch may refuse whatever comes: the next one waits as after a failure, so that there is time to mend it.
    else if (first !== undefined) this.#lane.failed(null);
    if (lostLines > 0) this.trouble.lost(machine, lostLines);
    if (first !== undefined) this.trouble.refused(machine, refused.length, first.why);
  }

  #note(machine: MachineId, now: Partial<Omit<MachineShipping, "machine">>): void {
    const { sinceMs } = this.destination;
    const before = this.#machines.get(machine);
    this.#machines.set(machine, {
      machine,
      progress: now.progress ?? before?.progress ?? noProgress(sinceMs),
      unsent: now.unsent ?? before?.unsent ?? { lines: 0, bytes: 0, sinceMs: null },
      problem: now.problem === undefined ? (before?.problem ?? null) : now.problem,
    });
  }
}
