import { once } from "node:events";
import net from "node:net";
import type { ListeningSocket } from "#host/listening-socket.ts";
import type { DnsAddress } from "./forward/resolvers.ts";
import type { Responder } from "./responder.ts";

/** Clients at once. Resolvers open one each; the oldest that waits for no answer makes room. */
const mostConnections = 128;
/** A client that says nothing for so long, or does not end what it began (RFC 7766, 6.2.3: seconds, under load less). */
const idleMs = 10_000;
/** Questions of one connection under way; its next ones wait in the kernel. */
const mostUnderWay = 64;
/** Answers that the client does not fetch; its next questions wait until it has. */
const mostUnsentBytes = 256 * 1024;

/** DNS over TCP (RFC 7766): messages with their length before them, answered as they get ready. */
export class TcpListener {
  readonly #server: net.Server;
  readonly #connections = new Set<Connection>();

  private constructor(responder: Responder) {
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket, responder));
    this.#server.on("error", () => {}); // Of a single accept, which its client repeats; of listening, `open` tells.
  }

  /**
   * @param at an address, or a socket that is bound to it
   * @throws {Error} with the system's code, such as `EADDRINUSE` or `EACCES`.
   */
  static async open(at: DnsAddress | ListeningSocket, responder: Responder): Promise<TcpListener> {
    const listener = new TcpListener(responder);
    listener.#server.listen("host" in at ? { ...at, exclusive: true } : at);
    await once(listener.#server, "listening");
    return listener;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Takes no more connections. Resolves once those there are have ended: clients close them, or have asked nothing for `idleMs`. */
  async finish(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.end();
    if (this.#server.listening) await this.finish();
  }

  #accept(socket: net.Socket, responder: Responder): void {
    if (this.#connections.size >= mostConnections) {
      const idle = [...this.#connections].find((one) => one.isIdle) ?? [...this.#connections][0];
      if (idle !== undefined) {
        this.#connections.delete(idle);
        idle.end();
      }
    }
    const connection = new Connection(socket, responder);
    this.#connections.add(connection);
    socket.once("close", () => this.#connections.delete(connection));
  }
}

class Connection {
  readonly #socket: net.Socket;
  readonly #responder: Responder;
  readonly #address: string;
  /** What has come and is no whole message yet: at most one message and a chunk. */
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #underWay = 0;

  constructor(socket: net.Socket, responder: Responder) {
    this.#socket = socket;
    this.#responder = responder;
    this.#address = socket.remoteAddress ?? "";
    socket.setTimeout(idleMs, () => socket.destroy());
    // A connection that breaks is its client's own affair.
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      this.#chunks.push(chunk);
      this.#chunkBytes += chunk.length;
      this.#takeMessages();
    });
    socket.on("drain", () => this.#takeMessages());
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  end(): void {
    this.#socket.destroy();
  }

  #takeMessages(): void {
    while (!this.#isFull()) {
      const message = this.#nextMessage();
      if (message === null) break;
      this.#answer(message);
    }
    if (this.#isFull()) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Pieces are joined only when a message is whole: one that comes byte by byte costs no more than its bytes. */
  #nextMessage(): Buffer | null {
    if (this.#chunkBytes < 2) return null;
    const [first, second] = this.#chunks;
    const length = first?.length === 1 ? ((first[0] ?? 0) << 8) | (second?.[0] ?? 0) : (first?.readUInt16BE(0) ?? 0);
    if (this.#chunkBytes < 2 + length) return null;
    const read = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    const rest = read.subarray(2 + length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#chunkBytes = rest.length;
    return read.subarray(2, 2 + length);
  }

  #isFull(): boolean {
    return this.#underWay >= mostUnderWay || this.#socket.writableLength >= mostUnsentBytes;
  }

  #answer(message: Buffer): void {
    this.#underWay++;
    let isWaiting = false;
    this.#responder.answer(message, { address: this.#address, transport: "tcp" }, (packet) => {
      this.#underWay--;
      // Who sends what is no query speaks something else.
      if (packet === null) this.#socket.destroy();
      else if (this.#socket.writable) this.#socket.write(Buffer.concat([Buffer.of(packet.length >> 8, packet.length & 0xff), packet]));
      if (isWaiting) this.#takeMessages();
    });
    isWaiting = true;
  }
}
