import { errorFields } from "#host/log.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Tell } from "#model/ladder.ts";
import type { Log } from "#model/log.ts";
import type { SpaceName } from "#model/names.ts";
import { followStore } from "../controllers/follow-store.ts";
import type { EventLog } from "../events/event-log.ts";
import { type Delivery, ladderObjects } from "../objects/ladder-objects.ts";
import { put, remove, type Stored, unchanged } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import { type Acknowledgements, escalationOf } from "./acknowledgements.ts";
import type { Leadership } from "./leadership.ts";
import { sendMail } from "./mail.ts";
import { mailOf, mostSpelled, textOf } from "./notice-text.ts";
import { fillTemplate, sendWebhook } from "./webhook.ts";

/** Pauses between tries: eight of them within a day, the first close together because most outages are short. */
const pausesMs = [10_000, 60_000, 300_000, 1_800_000, 7_200_000, 21_600_000, 43_200_000];
/** What comes within this of the first is told with it. */
const gatherMs = 1_000;
/** Between two messages to one target: a storm becomes a summary, and nobody is told more often than they can read. */
const restMs = 10_000;

export interface TellerOptions {
  readonly store: Store;
  readonly lead: Leadership;
  readonly events: EventLog;
  readonly resolve: ResolveOutgoing;
  readonly acknowledgements: Acknowledgements;
  /** The space's key for signatures; null: messages go unsigned. */
  readonly keyOf: (space: SpaceName) => Uint8Array | null;
  /** The value of a space's secret; null: it has none of that name. */
  readonly secretOf: (space: SpaceName, name: string) => string | null;
  /** Runs a command that tells people; null when it did, else why not. */
  readonly runCommand: (
    space: SpaceName,
    id: string,
    run: string,
    env: Record<string, string>,
    signal: AbortSignal,
  ) => Promise<string | null>;
  readonly clock: Clock;
  readonly steadyNowMs: () => number;
  readonly log: Log;
}

interface Batch {
  readonly space: SpaceName;
  readonly tell: Tell;
  readonly due: readonly Stored<Delivery>[];
}

/** Tells people what has to be told: each target by itself, so that one that hangs keeps nobody else waiting, and no controller at all. */
export class Teller {
  readonly #options: TellerOptions;
  readonly #signal: AbortSignal;
  readonly #busy = new Map<string, Promise<void>>();
  #wake: AbortController = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(options: TellerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const wake = () => this.#wake.abort();
    this.#running = Promise.all([this.#run(), followStore("/deliveries/", wake, wake, options, signal)]);
  }

  async stopped(): Promise<void> {
    await this.#running;
    await Promise.all(this.#busy.values());
  }

  async #run(): Promise<void> {
    const { clock, lead, log, steadyNowMs } = this.#options;
    while (!this.#signal.aborted && lead.holds()) {
      this.#wake = new AbortController();
      let nextAtMs = Number.POSITIVE_INFINITY;
      for (const [key, batch] of this.#batches()) {
        const dueAtMs = Math.min(...batch.due.map(({ value }) => value.nextAtMs));
        if (this.#busy.has(key)) continue;
        if (dueAtMs > steadyNowMs()) {
          nextAtMs = Math.min(nextAtMs, dueAtMs);
          continue;
        }
        const work = this.#tell(key, batch)
          .catch((error: unknown) => {
            if (!this.#signal.aborted) log.error("telling people broke off", { space: batch.space, ...errorFields(error) });
          })
          .finally(() => {
            this.#busy.delete(key);
            this.#wake.abort();
          });
        this.#busy.set(key, work);
      }
      const waitMs = Math.min(3_600_000, Math.max(50, nextAtMs - steadyNowMs()));
      await pause(clock, waitMs, AbortSignal.any([this.#wake.signal, this.#signal]));
    }
  }

  #batches(): ReadonlyMap<string, Batch> {
    const batches = new Map<string, Batch & { readonly due: Stored<Delivery>[] }>();
    for (const stored of ladderObjects.allDeliveries(this.#options.store)) {
      if (stored.value.isDead) continue;
      const space = stored.key.split("/")[2] as SpaceName;
      const key = `${space} ${JSON.stringify(stored.value.tell)}`;
      const batch = batches.get(key);
      if (batch === undefined) batches.set(key, { space, tell: stored.value.tell, due: [stored] });
      else batch.due.push(stored);
    }
    return batches;
  }

  async #tell(key: string, { space, tell }: Batch): Promise<void> {
    const { clock, steadyNowMs } = this.#options;
    await pause(clock, gatherMs, this.#signal);
    const due = (this.#batches().get(key)?.due ?? []).filter(({ value }) => value.nextAtMs <= steadyNowMs());
    if (this.#signal.aborted || due.length === 0) return;
    const problem = await this.#send(space, tell, due);
    await this.#settle(space, tell, due, problem);
    await pause(clock, restMs, this.#signal);
  }

  async #send(space: SpaceName, tell: Tell, due: readonly Stored<Delivery>[]): Promise<string | null> {
    const { acknowledgements, runCommand, keyOf, secretOf, resolve, clock } = this.#options;
    const [first] = due;
    if (first === undefined) return null;
    const links = await Promise.all(
      due.slice(0, mostSpelled).map(async ({ value: { notice } }) => {
        const escalation = escalationOf(notice.key);
        return escalation === null ? null : await acknowledgements.linkFor(space, escalation);
      }),
    );
    const text = textOf(
      space,
      due.map(({ value: { notice } }) => notice),
    );
    const acknowledge = links.find((link) => link !== null) ?? "";
    const { id } = first.value;
    switch (tell.kind) {
      case "webhook": {
        const notices = due.slice(0, mostSpelled).map(({ value: { notice } }, i) => ({ ...notice, acknowledge: links[i] ?? null }));
        const body =
          tell.template === null
            ? JSON.stringify({ text, space, notices })
            : fillTemplate(tell.template, { text, space, key: first.value.notice.key, acknowledge });
        return sendWebhook({ url: tell.url, message: { id, body }, secret: keyOf(space), resolve, clock }, this.#signal);
      }
      case "command": {
        const env = { DROVER_SPACE: space, DROVER_TEXT: text, DROVER_NOTICE: first.value.notice.key, DROVER_ACKNOWLEDGE: acknowledge };
        return runCommand(space, `${id}/${first.value.tries}`, tell.run, env, this.#signal);
      }
      case "email": {
        const told = due.map(({ value: { notice } }, i) => ({ notice, link: links[i] ?? null }));
        const password = tell.via.login === null ? null : secretOf(space, tell.via.login.secret);
        const mail = { id, to: tell.to, ...mailOf(space, told) };
        return sendMail({ via: tell.via, mail, password, resolve, clock }, this.#signal);
      }
      default:
        return tell satisfies never;
    }
  }

  async #settle(space: SpaceName, tell: Tell, due: readonly Stored<Delivery>[], problem: string | null): Promise<void> {
    const { store, lead, events, steadyNowMs } = this.#options;
    if (this.#signal.aborted) return;
    const nowMs = steadyNowMs();
    const dead: Delivery[] = [];
    const changes = due.map(({ key, value }) => {
      if (problem === null) return remove(key);
      const waitMs = pausesMs[value.tries];
      const next: Delivery = {
        ...value,
        tries: value.tries + 1,
        nextAtMs: nowMs + (waitMs ?? 0),
        isDead: waitMs === undefined,
        lastError: problem,
      };
      if (next.isDead) dead.push(next);
      return put(key, next);
    });
    try {
      await store.commit({ conditions: [lead.condition, ...due.map((stored) => unchanged(stored.key, stored))], changes });
    } catch (error) {
      // Another server leads: what is to be told is its business now.
      if (error instanceof DroverError && error.code === "CONFLICT") return;
      throw error;
    }
    const where = placeOf(tell);
    if (problem !== null) events.append({ space, kind: "tell.failed", message: `${where} was not told: ${problem}` });
    for (const { notice, tries } of dead)
      events.append({ space, kind: "tell.dead", message: `${where} was not told in ${tries} tries, and is tried no more: ${notice.text}` });
    if (problem === null)
      events.append({
        space,
        kind: "tell.done",
        message: `${where} was told ${due.length === 1 ? "of 1 notice" : `of ${due.length} notices`}`,
      });
  }
}

/** Who was told, as events say it. */
function placeOf(tell: Tell): string {
  switch (tell.kind) {
    case "webhook":
      return new URL(tell.url).host;
    case "email":
      return tell.to;
    case "command":
      return "the command";
    default:
      return tell satisfies never;
  }
}
