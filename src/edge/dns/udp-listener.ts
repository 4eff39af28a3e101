import { createSocket, type Socket, type SocketOptions } from "node:dgram";
import { isIPv6 } from "node:net";
import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";
import type { DnsAddress } from "./forward/resolvers.ts";
import type { Responder } from "./responder.ts";

/** Room for a burst while something else has the loop; the kernel may give less. */
const receiveBytes = 1024 * 1024;

export class UdpListener {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
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
    let isClosed = false;
    socket.once("close", () => (isClosed = true));
    socket.on("error", (error) => log.warn("the DNS socket reported an error", errorFields(error)));
    socket.on("message", (packet, { address, port: from }) => {
      const ready = responder.readyAnswer(packet, address);
      if (ready !== undefined) {
        if (ready !== null && from > 0) socket.send(ready, from, address);
        return;
      }
      responder.answer(packet, { address, transport: "udp" }, (answer) => {
        // Nobody has port 0. Of an answer that cannot be sent there is nobody to tell, so none of them asks to be told.
        if (answer !== null && from > 0 && !isClosed) socket.send(answer, from, address);
      });
    });
    return new UdpListener(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
