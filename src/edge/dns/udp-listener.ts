import { errorFields } from "#host/log.ts";
import { type Sender, UdpSocket } from "#host/udp-socket.ts";
import type { Log } from "#model/log.ts";
import type { DnsAddress } from "./forward/resolvers.ts";
import type { Responder } from "./responder.ts";

/** Room for a burst while something else has the loop. */
const receiveBytes = 1024 * 1024;
/** Answers that are sent together at most. Node reads 32 packets in one turn of its loop; resolvers' answers may come beside them. */
const mostTogether = 64;

/**
 * Answers queries over UDP. Answers are sent once all queries that were there are read: to read in a row and then to send in a row takes a
 * twentieth less of the processor than to do both in turns, and keeps no answer longer than the reading of 31 packets (bench/dns.ts).
 */
export class UdpListener {
  readonly #socket: UdpSocket;
  readonly #responder: Responder;
  /** What is sent at the end of this turn, and to whom: two lists of the same length. */
  readonly #answers: Buffer[] = [];
  readonly #clients: Sender[] = [];
  /** Queries that a resolver is asked about. */
  #underWay = 0;
  #settled: PromiseWithResolvers<void> | null = null;

  private constructor(socket: UdpSocket, responder: Responder) {
    this.#socket = socket;
    this.#responder = responder;
  }

  /**
   * @param isShared whether another edge that is about to go may have the address too
   * @throws {Error} with the system's code, such as `EADDRINUSE` or `EACCES`.
   */
  static async open(address: DnsAddress, isShared: boolean, responder: Responder, log: Log): Promise<UdpListener> {
    const socket = await UdpSocket.bind({ ...address, isShared, receiveBytes });
    const listener = new UdpListener(socket, responder);
    socket.receive(
      (packet, client) => listener.#receive(packet, client),
      (error) => log.warn("the DNS socket reported an error", errorFields(error)),
    );
    return listener;
  }

  get port(): number {
    return this.#socket.address.port;
  }

  /** Leaves what is asked from now on to those who share the address. Resolves once all that was asked before is answered. */
  async finish(): Promise<void> {
    this.#socket.leave();
    for (let isQuiet = false; !isQuiet; ) {
      await this.#socket.emptied();
      isQuiet = this.#underWay === 0 && this.#answers.length === 0;
      if (this.#underWay > 0) await (this.#settled ??= Promise.withResolvers()).promise;
    }
  }

  /** What was asked before is still answered, unless a resolver has to say it. */
  close(): void {
    this.#flush();
    this.#socket.close();
  }

  #receive(packet: Buffer, client: Sender): void {
    const { address } = client;
    const ready = this.#responder.readyAnswer(packet, address);
    if (ready !== undefined) this.#send(ready, client);
    else {
      this.#underWay++;
      this.#responder.answer(packet, { address, transport: "udp" }, (answer) => {
        this.#send(answer, client);
        if (--this.#underWay > 0) return;
        this.#settled?.resolve();
        this.#settled = null;
      });
    }
  }

  #send(answer: Buffer | null, client: Sender): void {
    if (answer === null) return;
    const waiting = this.#answers.push(answer);
    this.#clients.push(client);
    if (waiting === 1) setImmediate(() => this.#flush());
    else if (waiting === mostTogether) this.#flush();
  }

  #flush(): void {
    for (const [i, answer] of this.#answers.entries()) {
      const client = this.#clients[i];
      if (client !== undefined) this.#socket.send(answer, client);
    }
    this.#answers.length = 0;
    this.#clients.length = 0;
  }
}
