import type { ListeningSocket } from "#host/listening-socket.ts";
import { errorFields } from "#host/log.ts";
import type { Network } from "#host/network.ts";
import { type Clock, pause } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { TableChange } from "../router/router.ts";
import { Access } from "./access.ts";
import { Forwarder } from "./forward/forwarder.ts";
import type { DnsAddress, Resolvers } from "./forward/resolvers.ts";
import { Responder } from "./responder.ts";
import { TcpListener } from "./tcp-listener.ts";
import { UdpListener } from "./udp-listener.ts";
import { Zone } from "./zone.ts";

export interface DnsServerOptions {
  /** An IP address; port 0 takes one that is free. */
  readonly address: DnsAddress;
  /**
   * For TCP at the address, if whoever started the edge holds one: the edge before this one listens on it too. As long as it is held nobody else has the
   * address, so UDP is shared with that edge as well. Null: both are this one's alone.
   */
  readonly held: ListeningSocket | null;
  /** Who may ask beside this machine. */
  readonly networks: readonly Network[];
  readonly resolvers: Resolvers;
  readonly clock: Clock;
  readonly random: () => number;
  /** Unpredictable ones. */
  readonly randomBytes: (count: number) => Buffer;
  readonly log: Log;
}

/** Why nobody can ask. */
export interface DnsProblem {
  readonly port: number;
  readonly code: string;
  readonly message: string;
}

/** How often losses are told, if there were any. */
const tellEveryMs = 60_000;
/** How often an address that is taken is tried again: where nobody holds it while one edge replaces another nobody answers in between, and who asks then may not ask again. */
const retryMs = 50;
/** Port 0 takes one for UDP first; that the same is free for TCP is likely, not certain. */
const mostPortTries = 20;

/**
 * The DNS of the platform: says where apps are (`app.space.drover`), and asks the machine's resolvers the rest. Its address is opened as soon as
 * it is free; that it is not yet keeps nothing else waiting.
 */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #responder: Responder;
  readonly #forwarder: Forwarder;
  readonly #closed = new AbortController();
  #held: ListeningSocket | null;
  #isShared = false;
  #udp: UdpListener | null = null;
  #tcp: TcpListener | null = null;
  #problem: DnsProblem | null = null;
  readonly #background: Promise<void>[] = [];

  constructor(options: DnsServerOptions) {
    const { address, held, networks, resolvers, clock, random, randomBytes, log } = options;
    this.#options = options;
    this.#held = held;
    this.#forwarder = new Forwarder({ resolvers, clock, randomBytes, log });
    this.#responder = new Responder({
      // A wildcard is no address that a name could lead to.
      zone: new Zone(address.host === "0.0.0.0" || address.host === "::" ? null : address.host),
      access: new Access(networks),
      forwarder: this.#forwarder,
      clock,
      random,
      cookieSecret: randomBytes(32),
    });
  }

  /** Where it listens; 0 while it does not. */
  get port(): number {
    return this.#udp?.port ?? 0;
  }

  problem(): DnsProblem | null {
    return this.#problem;
  }

  /** Since it was made. */
  counts() {
    return { ...this.#responder.counts(), ...this.#forwarder.counts() };
  }

  apply(change: TableChange): void {
    this.#responder.apply(change);
  }

  /** Tries to open the address, and resolves after the first try. If it failed, `problem` says why, and it is tried again until it works. */
  async open(): Promise<void> {
    await this.#tryToOpen();
    this.#background.push(this.#tellLosses());
    if (this.#problem !== null) this.#background.push(this.#keepTrying());
  }

  /**
   * Another edge answers, or is about to: leaves it what is asked from now on. Resolves once what was asked before is answered and connections have ended,
   * or after `withinMs`. An address that nobody holds is left at once.
   */
  async finish(withinMs: number): Promise<void> {
    this.#problem = null;
    if (!this.#isShared) return this.close();
    const finished = new AbortController();
    const signal = AbortSignal.any([finished.signal, this.#closed.signal]);
    await Promise.race([Promise.all([this.#udp?.finish(), this.#tcp?.finish()]), pause(this.#options.clock, withinMs, signal)]);
    finished.abort();
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the DNS server is closing"));
    this.#forwarder.close();
    await Promise.all(this.#background);
    this.#udp?.close();
    await this.#tcp?.close();
  }

  async #keepTrying(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closed;
    while (this.#problem !== null && !signal.aborted) {
      const isOver = await clock.sleep(retryMs, signal).then(
        () => false,
        () => true, // Closed.
      );
      if (!isOver) await this.#tryToOpen();
    }
  }

  async #tellLosses(): Promise<void> {
    const { clock, log } = this.#options;
    let told = "";
    for (;;) {
      const isOver = await clock.sleep(tellEveryMs, this.#closed.signal).then(
        () => false,
        () => true, // Closed.
      );
      if (isOver) return;
      const { queries, malformed, notAllowed, rateLimited, failed, shed, loops } = this.counts();
      const losses = { malformed, not_allowed: notAllowed, rate_limited: rateLimited, failed, shed, loops };
      const now = JSON.stringify(losses);
      if (now !== told && Object.values(losses).some((count) => count > 0))
        log.info("DNS queries without an answer", { queries, ...losses });
      told = now;
    }
  }

  async #tryToOpen(): Promise<void> {
    const { address, log } = this.#options;
    try {
      await this.#openBoth();
      this.#problem = null;
      log.info("answering DNS", { host: address.host, port: this.port });
    } catch (error) {
      const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "UNKNOWN";
      if (this.#problem?.code !== code)
        log.warn("DNS cannot be answered yet", { host: address.host, port: address.port, ...errorFields(error) });
      this.#problem = { port: address.port, code, message: explain(error, address) };
    }
  }

  async #openBoth(): Promise<void> {
    const { address, log } = this.#options;
    for (let tries = 1; ; tries++) {
      const held = this.#held;
      const udp = await UdpListener.open(address, held !== null, this.#responder, log);
      // One that cannot be listened on is closed by that.
      this.#held = null;
      try {
        this.#tcp = await TcpListener.open(held ?? { host: address.host, port: udp.port }, this.#responder);
        this.#udp = udp;
        this.#isShared = held !== null;
        return;
      } catch (error) {
        udp.close();
        if (address.port !== 0 || tries === mostPortTries || !hasCode(error, "EADDRINUSE")) throw error;
      }
    }
  }
}

function explain(error: unknown, { port }: DnsAddress): string {
  if (hasCode(error, "EADDRINUSE")) return "the port is taken";
  if (hasCode(error, "EACCES"))
    return `ports below 1024 need a right that Drover does not have; take another port, or give it with CAP_NET_BIND_SERVICE or the sysctl net.ipv4.ip_unprivileged_port_start=${port}`;
  return error instanceof Error ? error.message : String(error);
}
