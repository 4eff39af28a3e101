import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from "node:dgram";
import { isIPv6 } from "node:net";
import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";
import type { DnsAddress } from "./forward/resolvers.ts";
import type { Responder } from "./responder.ts";

/** Room for a burst while something else has the loop; the kernel may give less. */
const receiveBytes = 1024 * 1024;
/** Answers that are sent together at most. Node reads 32 packets in one turn of its loop; resolvers' answers may come beside them. */
const mostTogether = 64;

/**
 * Answers queries over UDP. Answers are sent once all queries that were there are read: to read in a row and then to send in a row takes a tenth
 * less of the processor than to do both in turns, and keeps no answer longer than the reading of 31 packets (bench/dns.ts).
 */
export class UdpListener {
  readonly #socket: Socket;
  readonly #responder: Responder;
  /** What is sent at the end of this turn, and to whom: two lists of the same length. */
  readonly #answers: Buffer[] = [];
  readonly #clients: RemoteInfo[] = [];
  #isClosed = false;

  private constructor(socket: Socket, responder: Responder) {
    this.#socket = socket;
    this.#responder = responder;
  }

  /** @throws {Error} with the system's code, such as `EADDRINUSE` or `EACCES`. */
  static async open({ host, port }: DnsAddress, responder: Responder, log: Log): Promise<UdpListener> {
    const isV6 = isIPv6(host);
    // Answers go to addresses: looking them up as names would cost each a turn of the queue.
    const lookup: SocketOptions["lookup"] = (address, _options, found) => found(null, address, isV6 ? 6 : 4);
    const socket = createSocket({ type: isV6 ? "udp6" : "udp4", recvBufferSize: receiveBytes, lookup });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.off("error", reject);
        resolve();
      });
    }).catch((error: unknown) => {
      socket.close();
      throw error;
    });
    const listener = new UdpListener(socket, responder);
    socket.on("error", (error) => log.warn("the DNS socket reported an error", errorFields(error)));
    socket.on("message", (packet, client) => listener.#receive(packet, client));
    return listener;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** What was asked before is still answered, unless a resolver has to say it. */
  close(): Promise<void> {
    this.#flush();
    this.#isClosed = true;
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #receive(packet: Buffer, client: RemoteInfo): void {
    const { address } = client;
    const ready = this.#responder.readyAnswer(packet, address);
    if (ready !== undefined) this.#send(ready, client);
    else this.#responder.answer(packet, { address, transport: "udp" }, (answer) => this.#send(answer, client));
  }

  #send(answer: Buffer | null, client: RemoteInfo): void {
    // Nobody has port 0.
    if (answer === null || client.port === 0 || this.#isClosed) return;
    const waiting = this.#answers.push(answer);
    this.#clients.push(client);
    if (waiting === 1) setImmediate(() => this.#flush());
    else if (waiting === mostTogether) this.#flush();
  }

  #flush(): void {
    for (const [i, answer] of this.#answers.entries()) {
      const client = this.#clients[i];
      // Of an answer that cannot be sent there is nobody to tell, so none of them asks to be told.
      if (client !== undefined) this.#socket.send(answer, client.port, client.address);
    }
    this.#answers.length = 0;
    this.#clients.length = 0;
  }
}
