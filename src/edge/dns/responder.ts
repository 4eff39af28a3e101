import type { Clock } from "#model/clock.ts";
import type { TableChange } from "../router/router.ts";
import { type Access, isLoopback } from "./access.ts";
import { ednsUdpBytes, extendedErrors, flags, longestMessage, plainUdpBytes, rcodes, types } from "./codes.ts";
import { Cookies } from "./cookies.ts";
import type { CachedAnswer } from "./forward/answer-cache.ts";
import type { Forwarder } from "./forward/forwarder.ts";
import { relay } from "./forward/upstream-answer.ts";
import { localAnswer, localTtlS } from "./local-names.ts";
import { type Query, type Question, type ReadQuery, readQuery } from "./query.ts";
import { ReadyAnswers } from "./ready-answers.ts";
import { anyRecord } from "./records.ts";
import { type Response, ResponseWriter, truncate } from "./response.ts";
import { ResponseRate } from "./response-rate.ts";
import { type Zone, zoneTtlS } from "./zone.ts";

export interface Client {
  readonly address: string;
  /** TCP's handshake proves the address, and its answers may be long. */
  readonly transport: "udp" | "tcp";
}

/** Null: nothing is sent, because an answer would do harm or nobody asked. */
export type Reply = (packet: Buffer | null) => void;

export interface ResponderOptions {
  readonly zone: Zone;
  readonly access: Access;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  /** Which record comes first where the order is not kept; nothing depends on that it is guessed. */
  readonly random: () => number;
  /** 32 random bytes. */
  readonly cookieSecret: Buffer;
}

/**
 * How many times as long as its query an answer over UDP may be when nothing proves that the client is who it says: a forged query must not pay
 * off. Longer ones say "come by TCP".
 */
const mostAmplification = 10;

/** What was asked, and what the answer may be. */
interface Asked {
  readonly query: Query;
  readonly client: Client;
  readonly cookie: Buffer | undefined;
  /** The client's address is no forgery. */
  readonly isProven: boolean;
  readonly limitBytes: number;
}

export interface ResponderCounts {
  readonly queries: number;
  readonly ready: number;
  readonly malformed: number;
  readonly notAllowed: number;
  readonly rateLimited: number;
}

/** Decides what each packet is answered with. Knows no sockets. */
export class Responder {
  readonly #options: ResponderOptions;
  readonly #writer = new ResponseWriter();
  readonly #ready = new ReadyAnswers();
  readonly #cookies: Cookies;
  readonly #rate: ResponseRate;
  #counts = { queries: 0, ready: 0, malformed: 0, notAllowed: 0, rateLimited: 0 };

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#cookies = new Cookies(options.cookieSecret, options.clock);
    this.#rate = new ResponseRate(options.clock);
  }

  counts(): ResponderCounts {
    return this.#counts;
  }

  /** Takes over a change of the table; what was ready for the apps in it is made anew when it is asked for. */
  apply(change: TableChange): void {
    this.#ready.forget(this.#options.zone.apply(change));
  }

  /**
   * The answer to a query over UDP if it is ready, by far the most are; undefined: it has to be made. Apart from `answer` because this is all
   * that a usual query costs: nothing is made for it but its packet.
   */
  readyAnswer(packet: Buffer, address: string): Buffer | null | undefined {
    if (!this.#options.access.allows(address)) return undefined;
    const ready = this.#ready.take(packet);
    if (ready === null) return undefined;
    this.#counts.queries++;
    this.#counts.ready++;
    // Its query has no cookie, or the answer would not be ready.
    return this.#withinRate(address, false, ready);
  }

  /** Calls `reply` once, at once or when a resolver has answered. @param packet only valid during the call */
  answer(packet: Buffer, client: Client, reply: Reply): void {
    this.#counts.queries++;
    const isAllowed = this.#options.access.allows(client.address);
    const read = readQuery(packet);
    if (read.kind === "noise") {
      this.#counts.malformed++;
      reply(null);
      return;
    }
    const asked = this.#ask(read.query, client);
    const send = (answer: Buffer) => reply(this.#withinRate(client.address, asked.isProven, answer));
    const question = this.#questionOf(read, asked, isAllowed);
    if (Buffer.isBuffer(question)) {
      send(question);
      return;
    }
    const answer = this.#answerOwn(asked, question, packet) ?? this.#answerWithoutAsking(asked, question);
    if (answer !== null) send(answer);
    else this.#options.forwarder.resolve(asked.query, question, (found) => send(this.#relay(asked, found)));
  }

  #ask(query: Query, client: Client): Asked {
    const given = query.edns?.cookie ?? null;
    const checked = given === null ? null : this.#cookies.check(given, client.address);
    const isProven = client.transport === "tcp" || checked?.isValid === true;
    return { query, client, cookie: checked?.reply, isProven, limitBytes: limitOf(query, client, isProven) };
  }

  /** The question, or what is said to a query that has none which may be answered. */
  #questionOf(read: Exclude<ReadQuery, { readonly kind: "noise" }>, asked: Asked, isAllowed: boolean): Question | Buffer {
    if (read.kind === "bad") {
      this.#counts.malformed++;
      return this.#write(asked, { rcode: read.rcode });
    }
    if (!isAllowed) {
      this.#counts.notAllowed++;
      return this.#write(asked, { rcode: rcodes.refused, extendedError: extendedErrors.prohibited });
    }
    return read.query.question ?? this.#write(asked, {});
  }

  /** Of the platform's zone; null for other names. */
  #answerOwn(asked: Asked, question: Question, packet: Buffer): Buffer | null {
    const { zone } = this.#options;
    const found = zone.lookup(question.labels, question.type);
    if (found.kind === "outside") return null;
    const own = { isAuthoritative: true, ttlS: zoneTtlS } as const;
    if (found.kind === "unknown") return this.#write(asked, { ...own, rcode: rcodes.nxDomain, authority: zone.startOfAuthority() });
    if (found.kind === "empty")
      return this.#kept(asked, found.app, 1, packet, () => this.#write(asked, { ...own, authority: zone.startOfAuthority() }));
    const records = question.type === types.any ? [anyRecord()] : found.records;
    return this.#kept(asked, found.app, records.length, packet, (first) =>
      this.#write(asked, { ...own, records: first === 0 ? records : [...records.slice(first), ...records.slice(0, first)] }),
    );
  }

  /** Kept for the next who asks the same in the same way, unless the answer is one client's own. @param write makes the answer that starts with the given record */
  #kept(asked: Asked, app: string | null, records: number, packet: Buffer, write: (first: number) => Buffer): Buffer {
    if (app !== null && asked.client.transport === "udp" && asked.cookie === undefined)
      return this.#ready.keep(packet, app, records, write);
    return write(Math.floor(this.#options.random() * records));
  }

  /** Other names that no resolver is asked for; null: one is. */
  #answerWithoutAsking(asked: Asked, question: Question): Buffer | null {
    const local = localAnswer(question.labels, question.type);
    if (local?.kind === "unknown") return this.#write(asked, { rcode: rcodes.nxDomain });
    if (local !== null) return this.#write(asked, { ttlS: localTtlS, records: local.records });
    // Without recursion only what others have asked for could be told, and that is nobody's business.
    if ((asked.query.flags & flags.recursionDesired) === 0) return this.#write(asked, { rcode: rcodes.refused });
    return question.type === types.any ? this.#write(asked, { ttlS: localTtlS, records: [anyRecord()] }) : null;
  }

  #relay(asked: Asked, found: CachedAnswer | null): Buffer {
    if (found === null) return this.#write(asked, { rcode: rcodes.servFail, extendedError: extendedErrors.noReachableAuthority });
    const cookie = asked.cookie === undefined ? {} : { cookie: asked.cookie };
    return relay(found.answer, asked.query, found.ageS, cookie, asked.limitBytes);
  }

  #write(asked: Asked, { extendedError, ...response }: Partial<Response> & { readonly extendedError?: number }): Buffer {
    const options = {
      ...(asked.cookie === undefined ? {} : { cookie: asked.cookie }),
      ...(extendedError === undefined ? {} : { extendedError }),
    };
    const plain = { rcode: rcodes.noError, isAuthoritative: false, ttlS: 0, records: [], authority: null } as const;
    return this.#writer.write(asked.query, { ...plain, ...response, options }, asked.limitBytes);
  }

  /** What of an answer goes to a client whose network may have had enough; null: nothing. */
  #withinRate(address: string, isProven: boolean, answer: Buffer): Buffer | null {
    if (isProven || isLoopback(address)) return answer;
    const verdict = this.#rate.judge(address);
    if (verdict === "send") return answer;
    this.#counts.rateLimited++;
    return verdict === "truncate" ? truncate(answer) : null;
  }
}

/** The longest answer in bytes. */
function limitOf(query: Query, client: Client, isProven: boolean): number {
  if (client.transport === "tcp") return longestMessage;
  const fits = query.edns === null ? plainUdpBytes : Math.min(ednsUdpBytes, Math.max(plainUdpBytes, query.edns.udpBytes));
  return isProven ? fits : Math.min(fits, query.sizeBytes * mostAmplification);
}
