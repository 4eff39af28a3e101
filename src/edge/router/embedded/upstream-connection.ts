import net from "node:net";
import { TLSSocket } from "node:tls";
import type { EdgeContext } from "./context.ts";
import type { Timed } from "./deadlines.ts";
import type { Endpoint } from "./endpoint.ts";
import { refusalOf, type UpstreamTls } from "./tls/upstream-tls.ts";

/** Whoever uses an upstream connection now. */
export interface UpstreamUser {
  onUpstreamReady(): void;
  /** The connection could not be made; nothing was sent. */
  onUpstreamRefused(error: Error): void;
  /** True if nothing holds on to the bytes when it returns: the next ones may then arrive in their place. */
  onUpstreamBytes(bytes: Buffer): boolean;
  /** The app sends no more. */
  onUpstreamEnd(): void;
  onUpstreamDrain(): void;
  /** The connection is gone. */
  onUpstreamClose(): void;
}

/** Room for what one read brings: enough for most answers, and for those that fill it, as much as the kernel gives at once. */
const readBytes = { few: 16_384, many: 65_536 } as const;

export interface UpstreamOptions {
  /** What it has to be verified by; null: without TLS. */
  readonly tls?: UpstreamTls | null;
  /** Whether it is only made to be detached. */
  readonly isBare?: boolean;
}

/**
 * A connection to an instance, of one user at a time. Without TLS its bytes arrive in one place again and again: memory of its own for each read
 * would cost as much as reading it.
 */
export class UpstreamConnection implements Timed {
  readonly socket: net.Socket;
  readonly endpoint: Endpoint;
  /** What it was verified by; null without TLS. */
  readonly tls: UpstreamTls | null;
  deadlineMs: number;
  /** When it last became idle, on the monotonic clock. */
  idleSinceMs = 0;
  /** Whether it carried a request before: the app may be closing it at this very moment. */
  wasUsed = false;

  #user: UpstreamUser | null;
  #isConnected = false;
  #error: Error | null = null;
  readonly #context: EdgeContext;
  #room: Buffer | null = null;
  #readsMany = false;
  #isDetached = false;

  constructor(endpoint: Endpoint, user: UpstreamUser, context: EdgeContext, { tls = null, isBare = false }: UpstreamOptions = {}) {
    this.endpoint = endpoint;
    this.tls = tls;
    this.#user = user;
    this.#context = context;
    this.deadlineMs = context.clock.monotonicMs() + context.limits.connectMs;
    const { host, port, entry } = endpoint;
    const onread: net.OnReadOpts = { buffer: () => this.#nextRoom(), callback: (size, room) => this.#onRead(room as Buffer, size) };
    const options = { host, port, noDelay: true, keepAlive: true, allowHalfOpen: true, ...(isBare ? {} : { onread }) };
    // To another machine over TLS; what the instance itself speaks is inside of that.
    const below = entry === null ? null : context.machines.connect(endpoint, entry);
    const socket = tls !== null ? tls.connect(endpoint, below) : (below ?? net.connect(options));
    const isPlain = tls === null && below === null;
    this.socket = socket;
    context.deadlines.add(this);
    socket.on(isPlain ? "connect" : "secureConnect", () => {
      this.#isConnected = true;
      if (!isPlain) socket.setNoDelay(true).setKeepAlive(true);
      this.deadlineMs = Number.POSITIVE_INFINITY;
      this.#user?.onUpstreamReady();
    });
    if (!isPlain || isBare) socket.on("data", (bytes: Buffer) => this.#onBytes(bytes));
    socket.on("end", () => {
      if (this.#user !== null) this.#user.onUpstreamEnd();
      else socket.destroy();
    });
    socket.on("drain", () => this.#user?.onUpstreamDrain());
    socket.on("error", (error) => {
      this.#error = tls !== null && socket instanceof TLSSocket ? refusalOf(socket, error) : error;
    });
    socket.on("close", () => this.#onClose());
  }

  /** The caller has found it idle. */
  take(user: UpstreamUser): void {
    this.#user = user;
    this.wasUsed = true;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** Its user is done with it, and everything that was sent has been answered in full. */
  release(keepForMs: number): void {
    const { clock, limits } = this.#context;
    this.#user = null;
    this.idleSinceMs = clock.monotonicMs();
    this.deadlineMs = this.idleSinceMs + keepForMs;
    if (!this.endpoint.giveIdle(this, limits.upstreamIdlePerEndpoint)) this.destroy();
  }

  /** Its user wants nothing more from it, and hears nothing more of it. */
  destroy(): void {
    this.#user = null;
    this.socket.destroy();
  }

  /** Hands over the bare socket: nothing of this object listens any more. */
  detach(): net.Socket {
    this.#user = null;
    this.#isDetached = true;
    this.#context.deadlines.delete(this);
    for (const event of ["connect", "secureConnect", "session", "data", "end", "drain", "error", "close"])
      this.socket.removeAllListeners(event);
    return this.socket;
  }

  /** Whether what it read into is free again. */
  #onBytes(bytes: Buffer): boolean {
    if (this.#user !== null) return this.#user.onUpstreamBytes(bytes);
    // Bytes that nobody asked for would be taken for the answer to the next request.
    this.socket.destroy();
    return true;
  }

  /** False if no more is to be read for now. */
  #onRead(room: Buffer, size: number): boolean {
    if (this.#isDetached) return this.socket.push(Buffer.from(room.subarray(0, size)));
    const isFree = this.#onBytes(room.subarray(0, size));
    const isFull = size === room.length && !this.#readsMany;
    this.#readsMany ||= isFull;
    // Many of those that carry WebSockets are idle for hours.
    if (!isFree || isFull || this.#isDetached) this.#room = null;
    return true;
  }

  #nextRoom(): Buffer {
    this.#room ??= Buffer.allocUnsafeSlow(this.#readsMany && !this.#isDetached ? readBytes.many : readBytes.few);
    return this.#room;
  }

  onDeadline(): void {
    if (!this.#isConnected) this.socket.destroy(new Error(`no connection within ${this.#context.limits.connectMs} ms`));
    else this.socket.destroy();
  }

  #onClose(): void {
    this.#context.deadlines.delete(this);
    this.endpoint.forget(this);
    const user = this.#user;
    this.#user = null;
    if (user === null) return;
    if (this.#isConnected) user.onUpstreamClose();
    else user.onUpstreamRefused(this.#error ?? new Error("the connection closed before it was made"));
  }
}
