import type { RouteLimits } from "#model/routing-table.ts";

/** Every bound of the embedded router. Tests pass smaller ones. */
export interface Limits {
  /** Longest request line: what browsers and other servers take; beyond is 414. */
  readonly requestLineBytes: number;
  /** Longest request head, which is held in memory for each connection that is sending one; beyond is 431. */
  readonly requestHeadBytes: number;
  /** Longest response head: generous for many cookies, yet bounded. */
  readonly responseHeadBytes: number;
  /** Most header lines either way; parsing is linear, but apps often are not. */
  readonly headerLines: number;
  /** Most interim (1xx) answers before the final one; more is a flood. */
  readonly interimAnswers: number;
  /** Bytes that wait for a slow receiver, or for the answer before them, before their sender is paused. */
  readonly bufferBytes: number;
  /** Bodies up to this size leave in the same write as their head. */
  readonly oneWriteBytes: number;
  /** A whole request head has to arrive in this time, however slowly it trickles. */
  readonly headMs: number;
  /** A TLS handshake, from the connection to its end: a few round trips, which take half a second each at worst. */
  readonly handshakeMs: number;
  /** Idle keep-alive connections of clients: longer than the 60 s of common load balancers, so that they close first. */
  readonly clientIdleMs: number;
  /** From the end of a request's head to the end of its answer; routes may set one. */
  readonly requestMs: number;
  /** Longest body; routes may set one. */
  readonly bodyBytes: number;
  /** No byte of a body for this long ends the request. */
  readonly bodyIdleMs: number;
  /** A body that comes slower than this, in bytes a second, for longer than `bodyIdleMs` makes up for ends its request: who drips holds a connection
   * and an instance for nothing. IIS and Kestrel have 240, which every modem does; 0 is none. */
  readonly bodyRate: number;
  /** Connecting to an instance on this machine or network takes microseconds; this long means that nobody takes connections. */
  readonly connectMs: number;
  /** Until the first byte of an answer: long polls and slow reports are real, for ever is not. */
  readonly answerMs: number;
  /** Silence in the middle of an answer, as event streams have it. */
  readonly answerIdleMs: number;
  /** A client that has closed its side may still read; mostly it is gone. */
  readonly halfClosedMs: number;
  /** A WebSocket without a byte either way. */
  readonly tunnelIdleMs: number;
  /** A TCP connection: databases and queues keep quiet ones for days, and TCP's own keep-alive finds the dead ones. */
  readonly tcpIdleMs: number;
  /** A client that sends datagrams: NATs forget it after 30 to 120 seconds of silence. */
  readonly udpIdleMs: number;
  /** Clients of one UDP port, each with a descriptor of its own. */
  readonly udpSessions: number;
  /** After an answer that ends the connection the rest of the request is read and dropped for so long and so far, so that a reset does not
   * destroy the answer on its way. */
  readonly lingerMs: number;
  readonly lingerBytes: number;
  /** Idle connections to an instance: below the 5 s after which Node, uvicorn and others close theirs, so that requests seldom meet a closing one. */
  readonly upstreamIdleMs: number;
  /** A request that cannot be repeated only takes a connection that was used within this time, for the same reason. */
  readonly upstreamFreshMs: number;
  /** Idle connections kept to one instance: what a burst leaves behind is not worth more descriptors. */
  readonly upstreamIdlePerEndpoint: number;
  /** Instances tried for one request. */
  readonly attempts: number;
  /** An instance that refuses connections is passed over for so long while others are there. */
  readonly ejectMs: number;
  /** An instance that joins others gets its full share only after so long: caches and compilers have to warm up. */
  readonly slowStartMs: number;
  /** A request waits for an instance for so long: a restart in place takes less, a person waits for more. */
  readonly holdMs: number;
  /** Requests that wait for one route. */
  readonly heldPerRoute: number;
  /** How often a route with waiting requests tries its instances. */
  readonly holdProbeMs: number;
  /** Connections of clients over all ports; each may need a second descriptor towards an instance. */
  readonly clients: number;
  /** Of these, connections of one address: an office or a whole campus may be behind one, but nobody may take all there are. */
  readonly clientsPerAddress: number;
  /** How often time limits are looked at: often enough for limits of seconds, seldom enough to cost nothing with ten thousand connections. */
  readonly sweepMs: number;
  /** Routers that share every address: each lets through its part of what a route's rates allow. */
  readonly routers: number;
}

export const defaultLimits: Limits = {
  requestLineBytes: 8_192,
  requestHeadBytes: 32_768,
  responseHeadBytes: 65_536,
  headerLines: 100,
  interimAnswers: 20,
  bufferBytes: 65_536,
  oneWriteBytes: 16_384,
  headMs: 10_000,
  handshakeMs: 5_000,
  clientIdleMs: 75_000,
  requestMs: Number.POSITIVE_INFINITY,
  bodyBytes: Number.POSITIVE_INFINITY,
  bodyIdleMs: 30_000,
  bodyRate: 240,
  connectMs: 2_000,
  answerMs: 300_000,
  answerIdleMs: 600_000,
  halfClosedMs: 10_000,
  tunnelIdleMs: 3_600_000,
  tcpIdleMs: Number.POSITIVE_INFINITY,
  udpIdleMs: 60_000,
  udpSessions: 2_000,
  lingerMs: 2_000,
  lingerBytes: 2 ** 20,
  upstreamIdleMs: 4_000,
  upstreamFreshMs: 1_000,
  upstreamIdlePerEndpoint: 256,
  attempts: 3,
  ejectMs: 1_000,
  slowStartMs: 10_000,
  holdMs: 2_000,
  heldPerRoute: 1_000,
  holdProbeMs: 10,
  clients: 20_000,
  clientsPerAddress: 4_000,
  sweepMs: 250,
  routers: 1,
};

/** One address may have a fifth of all connections, unless it is said how many. */
const addressesThatFill = 5;

/**
 * What one of several routers, each with about as many clients as the others, has of the edge's limits.
 * @param mostClients what the router has descriptors for
 * @param perAddress connections of one address to all routers together; null: a share of all there may be. The kernel spreads a client's connections
 * over the routers, but not evenly: each lets through twice its part, so that nobody is refused below the limit, and some get a little more.
 */
export function partOf(limits: Limits, routers: number, mostClients: number, perAddress: number | null): Limits {
  const clients = Math.max(1, Math.min(mostClients, Math.ceil(limits.clients / routers)));
  const clientsPerAddress =
    perAddress === null ? Math.ceil(clients / addressesThatFill) : Math.min(perAddress, 2 * Math.ceil(perAddress / routers));
  return { ...limits, routers, clients, clientsPerAddress };
}

/** The edge's limits with a route's own in their place. */
export function limitsOf(limits: Limits, { bodyBytes, bodyRate, requestMs, idleMs, answerMs }: RouteLimits = {}): Limits {
  const isPlain = [bodyBytes, bodyRate, requestMs, idleMs, answerMs].every((limit) => limit === undefined);
  if (isPlain) return limits;
  return {
    ...limits,
    bodyBytes: bodyBytes ?? limits.bodyBytes,
    bodyRate: bodyRate ?? limits.bodyRate,
    requestMs: requestMs ?? limits.requestMs,
    answerMs: answerMs ?? limits.answerMs,
    ...(idleMs === undefined
      ? {}
      : { bodyIdleMs: idleMs, answerIdleMs: idleMs, tunnelIdleMs: idleMs, tcpIdleMs: idleMs, udpIdleMs: idleMs }),
  };
}
