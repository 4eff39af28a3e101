import { lookup } from "node:dns/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { binding, type Sender, type SendRequest, systemError, type UdpHandle } from "./bindings.ts";

export type { Sender };

export interface UdpSocketOptions {
  /** A name is looked up. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Whether other sockets of the same user may have the address too: the kernel then keeps a client with one of them. */
  readonly isShared: boolean;
  /** Room for what waits to be received; the kernel may give less. What it gives anyway if left out. */
  readonly receiveBytes?: number;
}

/**
 * A UDP socket that can leave an address to others who share it without losing a datagram, which those of `node:dgram` cannot: what waits at a socket is
 * lost when it is closed. Passing sockets on as those of TCP are is no way for them: libuv gives a socket that it did not make itself SO_REUSEADDR, and
 * any user of the machine could then bind the same address and get what is meant for us.
 */
export class UdpSocket {
  readonly #handle: UdpHandle;
  readonly #isV6: boolean;
  #received = 0;
  #isLeaving = false;
  #isClosed = false;
  /** Reused until one is not sent at once: most are. */
  #request: SendRequest = new (binding("udp_wrap").SendWrap)();
  #list: [Buffer] = [Buffer.alloc(0)];

  private constructor(handle: UdpHandle, isV6: boolean) {
    this.#handle = handle;
    this.#isV6 = isV6;
  }

  /** Nothing is received before `receive`; what comes waits. @throws {Error} with the system's code, such as EADDRINUSE or EACCES. */
  static async bind({ host, port, isShared, receiveBytes }: UdpSocketOptions): Promise<UdpSocket> {
    const { address, family } = await lookup(host);
    const { UDP, constants } = binding("udp_wrap");
    const handle = new UDP();
    const socket = new UdpSocket(handle, family === 6);
    const flags = isShared ? constants.UV_UDP_REUSEPORT : 0;
    const failed = socket.#isV6 ? handle.bind6(address, port, flags) : handle.bind(address, port, flags);
    if (failed !== 0) {
      socket.close();
      throw systemError(failed, `cannot listen on ${host}:${port}`);
    }
    // It is a wish: without it a burst is lost sooner.
    if (receiveBytes !== undefined) handle.bufferSize(receiveBytes, true, {});
    return socket;
  }

  /** What it is bound to. */
  get address(): Sender {
    const name: { address?: string; port?: number } = {};
    this.#handle.getsockname(name);
    return { address: name.address ?? "", port: name.port ?? 0 };
  }

  receive(onDatagram: (bytes: Buffer, from: Sender) => void, onError: (error: Error) => void): void {
    this.#handle.onmessage = (count, _handle, bytes, from) => {
      this.#received++;
      if (count >= 0) onDatagram(bytes, from);
      // While it leaves, that a client of before is gone is told here: nobody's concern.
      else if (!this.#isLeaving) onError(systemError(count, "cannot receive a datagram"));
    };
    const failed = this.#handle.recvStart();
    if (failed !== 0) throw systemError(failed, "cannot receive datagrams");
  }

  /** Of a datagram that cannot be sent there is nobody to tell. */
  send(bytes: Buffer, { port, address }: Sender): void {
    // Nobody has port 0.
    if (this.#isClosed || port === 0) return;
    if (this.#isLeaving) {
      this.#sendBetween(bytes, address, port);
      return;
    }
    this.#list[0] = bytes;
    const handle = this.#handle;
    const sent = this.#isV6
      ? handle.send6(this.#request, this.#list, 1, port, address, false)
      : handle.send(this.#request, this.#list, 1, port, address, false);
    if (sent === 0) this.#keepRequest();
  }

  /**
   * Leaves new datagrams to the others who share the address: it is connected to itself, and the kernel gives one that is connected nothing from anybody else.
   * What has come before is still received, and answers can be sent; `emptied` tells when it can be closed.
   */
  leave(): void {
    if (this.#isLeaving || this.#isClosed) return;
    this.#isLeaving = true;
    this.#connectToItself();
  }

  /** After `leave`: resolves once all that has come is received and all that was to be sent is. */
  async emptied(): Promise<void> {
    for (let before = -1; !this.#isClosed && (before !== this.#received || this.#handle.getSendQueueCount() > 0); ) {
      before = this.#received;
      // The first may come in the middle of receiving; before the second, all sockets were looked at.
      await nextTurn();
      await nextTurn();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handle.close();
  }

  /** While it leaves. For an instant it may be given something again, so `emptied` is asked after the last. */
  #sendBetween(bytes: Buffer, address: string, port: number): void {
    const handle = this.#handle;
    handle.disconnect();
    if (this.#isV6) handle.connect6(address, port);
    else handle.connect(address, port);
    this.#list[0] = bytes;
    let sent = handle.send(this.#request, this.#list, 1, false);
    // What the one before could not be sent for is told only now.
    if (sent < 0) sent = handle.send(this.#request, this.#list, 1, false);
    if (sent === 0) this.#keepRequest();
    handle.disconnect();
    this.#connectToItself();
  }

  #connectToItself(): void {
    const { address, port } = this.address;
    if (this.#isV6) this.#handle.connect6(address === "::" ? "::1" : address, port);
    else this.#handle.connect(address === "0.0.0.0" ? "127.0.0.1" : address, port);
  }

  /** It is under way, so it and what it sends are not to be used again. */
  #keepRequest(): void {
    this.#request.list = this.#list;
    this.#request = new (binding("udp_wrap").SendWrap)();
    this.#list = [Buffer.alloc(0)];
  }
}
