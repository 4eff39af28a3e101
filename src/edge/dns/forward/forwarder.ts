import { errorFields } from "#host/log.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { flags, rcodes } from "../codes.ts";
import { lowerCase } from "../names.ts";
import type { Query, Question } from "../query.ts";
import { AnswerCache, type CachedAnswer } from "./answer-cache.ts";
import { askUpstream } from "./ask-upstream.ts";
import type { DnsAddress, Resolvers } from "./resolvers.ts";
import { readUpstreamAnswer, type UpstreamAnswer } from "./upstream-answer.ts";
import { isOwnSpelling, type UpstreamQuery, upstreamQuery } from "./upstream-query.ts";

/** Questions that are out at once, each with up to three sockets. The oldest makes room: it is the one least likely to be answered. */
const mostFlights = 128;
/** Clients that wait for the same answer; more are told that it failed, and ask again. */
const mostWaiters = 64;
/** After this the client is told that it failed: programs give up after five seconds, and most ask twice. */
const answerWithinMs = 1_900;
/** A resolver that has not answered by then gets company. */
const nextAfterMs = 600;
const mostAttempts = 3;
/** A resolver that failed is asked last for so long. */
const avoidForMs = 30_000;

/** Tells the answer, or null: nobody could be asked, or nobody answered. */
type Waiter = (answer: CachedAnswer | null) => void;

interface Flight {
  readonly waiters: Waiter[];
  readonly landed: AbortController;
  query: UpstreamQuery | null;
}

export interface ForwarderOptions {
  readonly resolvers: Resolvers;
  readonly clock: Clock;
  /** Unpredictable bytes: they are all that keeps a forger out. */
  readonly randomBytes: (count: number) => Buffer;
  readonly log: Log;
}

export interface ForwardCounts {
  readonly fromCache: number;
  readonly forwarded: number;
  readonly failed: number;
  /** Let go because too many were under way, or too many waited for the same. */
  readonly shed: number;
  readonly loops: number;
}

/** Asks the machine's resolvers what is not ours, each thing once at a time, and keeps what they say for as long as they allow. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #cache: AnswerCache;
  readonly #flights = new Map<string, Flight>();
  readonly #avoidUntilMs = new Map<string, number>();
  readonly #closed = new AbortController();
  #counts = { fromCache: 0, forwarded: 0, failed: 0, shed: 0, loops: 0 };

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#cache = new AnswerCache(options.clock);
  }

  counts(): ForwardCounts {
    return this.#counts;
  }

  /**
   * Calls `waiter` once, at once if the answer is known or too many wait already.
   * A question that comes back to us while it is out has gone in a circle: it fails at once, and the resolver that sent it is left alone for a while.
   */
  resolve(query: Query, question: Question, waiter: Waiter): void {
    const wants = {
      isDnssecOk: query.edns?.isDnssecOk === true,
      isCheckingDisabled: (query.flags & flags.checkingDisabled) !== 0,
    };
    const key = `${lowerCase(question.bytes.toString("latin1"))}${wants.isDnssecOk ? "d" : ""}${wants.isCheckingDisabled ? "c" : ""}`;
    const cached = this.#cache.get(key);
    if (cached !== null) {
      this.#counts.fromCache++;
      waiter(cached);
      return;
    }
    const flight = this.#flights.get(key);
    if (flight === undefined) this.#start(key, question, wants, waiter);
    else if (flight.query !== null && isOwnSpelling(question.bytes, flight.query.question)) {
      this.#counts.loops++;
      waiter(null);
      flight.landed.abort(new CircleError());
    } else if (flight.waiters.length >= mostWaiters) {
      this.#counts.shed++;
      waiter(null);
    } else flight.waiters.push(waiter);
  }

  /** Everybody who waits is told that it failed. */
  close(): void {
    this.#closed.abort(new Error("the resolver is closing"));
  }

  #start(
    key: string,
    question: Question,
    wants: { readonly isDnssecOk: boolean; readonly isCheckingDisabled: boolean },
    waiter: Waiter,
  ): void {
    if (this.#flights.size >= mostFlights) {
      for (const [oldest, { landed }] of this.#flights) {
        this.#counts.shed++;
        this.#flights.delete(oldest);
        landed.abort(new Error("too many questions are under way"));
        break;
      }
    }
    const flight: Flight = { waiters: [waiter], landed: new AbortController(), query: null };
    this.#flights.set(key, flight);
    this.#counts.forwarded++;
    // The client's packet is gone by the time that the question is sent.
    const kept = { ...question, bytes: Buffer.from(question.bytes) };
    void this.#fly(kept, wants, flight)
      .catch((error: unknown) => {
        this.#options.log.warn("a question could not be forwarded", errorFields(error));
        return null;
      })
      .then((answer) => {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        if (answer === null) this.#counts.failed++;
        else this.#cache.keep(key, answer);
        const found = answer === null ? null : { answer, ageS: 0 };
        for (const tell of flight.waiters) tell(found);
      });
  }

  async #fly(
    question: Question,
    wants: { readonly isDnssecOk: boolean; readonly isCheckingDisabled: boolean },
    flight: Flight,
  ): Promise<UpstreamAnswer | null> {
    const { resolvers, randomBytes, clock } = this.#options;
    const upstreams = this.#byHealth(await resolvers.list());
    if (upstreams.length === 0) return null;
    const query = upstreamQuery(question, wants, randomBytes(question.bytes.length + 2));
    flight.query = query;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, flight.landed.signal, this.#closed.signal]);
    const deadline = clock.sleep(answerWithinMs, signal).then(
      () => null,
      () => null, // Answered, or given up.
    );
    try {
      return await Promise.race([this.#askInTurn(upstreams, query, signal), deadline]);
    } finally {
      over.abort(new Error("the question is settled"));
    }
  }

  /** The first good answer; one that says that it failed only once all have. Later attempts do not end earlier ones, which may only be slow. */
  async #askInTurn(upstreams: readonly DnsAddress[], query: UpstreamQuery, signal: AbortSignal): Promise<UpstreamAnswer | null> {
    const found = Promise.withResolvers<UpstreamAnswer | null>();
    let failure: UpstreamAnswer | null = null;
    const attempt = async (upstream: DnsAddress) => {
      const answer = await this.#attempt(upstream, query, signal);
      if (answer !== null && isUsable(answer)) found.resolve(answer);
      else failure = answer ?? failure;
    };
    const turns = Array.from({ length: Math.min(mostAttempts, Math.max(2, upstreams.length)) }, (_, i) => upstreams[i % upstreams.length]);
    const attempts: Promise<void>[] = [];
    for (const upstream of turns) {
      if (upstream === undefined || signal.aborted) break;
      const next = attempt(upstream);
      attempts.push(next);
      // A failure makes room for the next at once.
      await Promise.race([next, found.promise, pause(this.#options.clock, nextAfterMs, signal)]);
    }
    void Promise.all(attempts).then(() => found.resolve(failure));
    return found.promise;
  }

  async #attempt(upstream: DnsAddress, query: UpstreamQuery, signal: AbortSignal): Promise<UpstreamAnswer | null> {
    const { clock, log } = this.#options;
    const name = `${upstream.host} ${upstream.port}`;
    const startedAtMs = clock.monotonicMs();
    try {
      const answer = readUpstreamAnswer(await askUpstream(upstream, query.packet, query.questionEnd, signal), query.questionEnd);
      if (answer === null) throw new Error("the resolver's answer cannot be read");
      if (isUsable(answer)) this.#avoidUntilMs.delete(name);
      return answer;
    } catch (error) {
      const isOurDoing = signal.aborted && clock.monotonicMs() - startedAtMs < nextAfterMs && !(error instanceof CircleError);
      if (isOurDoing || this.#closed.signal.aborted) return null;
      if (!this.#avoidUntilMs.has(name)) log.warn("a resolver does not answer", { resolver: name, ...errorFields(error) });
      this.#avoidUntilMs.set(name, clock.monotonicMs() + avoidForMs);
      return null;
    }
  }

  #byHealth(upstreams: readonly DnsAddress[]): readonly DnsAddress[] {
    const nowMs = this.#options.clock.monotonicMs();
    const isAvoided = ({ host, port }: DnsAddress) => (this.#avoidUntilMs.get(`${host} ${port}`) ?? 0) > nowMs;
    return [...upstreams.filter((one) => !isAvoided(one)), ...upstreams.filter(isAvoided)];
  }
}

/** A resolver forwards to us what we forward to it. */
class CircleError extends Error {
  constructor() {
    super("its question came back here: it forwards to Drover what Drover forwards to it");
  }
}

/** An answer about the name, in place of one about the resolver. */
function isUsable({ rcode }: UpstreamAnswer): boolean {
  return rcode === rcodes.noError || rcode === rcodes.nxDomain;
}
