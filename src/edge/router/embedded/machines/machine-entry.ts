import net from "node:net";
import tls from "node:tls";
import type { MachineIdentity } from "#model/certificates.ts";
import { pause } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { RouteId } from "#model/names.ts";
import type { ListenerProblem } from "../../router.ts";
import type { EdgeContext } from "../context.ts";
import { peekClientHello } from "../tls/peek.ts";
import { Tunnel } from "../tunnel.ts";
import { cut, MachineSockets } from "./machine-sockets.ts";
import { nameOf, portOf } from "./names.ts";

/** How often an address that was taken is tried again. */
const retryEveryMs = 1_000;
/** Handshakes under way: anybody on the network can begin one, and each holds a connection to an instance. */
const mostHandshakes = 1_024;

interface Caller {
  readonly socket: net.Socket;
  readonly instance: net.Socket;
}

/** What the entry needs of a router. */
export type EntryContext = Pick<EdgeContext, "clock" | "deadlines" | "limits" | "listen" | "log">;

/**
 * Where a machine takes what the edges of others send to its instances: over mutual TLS 1.3, from members alone. Who is connected is led on, byte by
 * byte, to the instance that the handshake asked for, which listens on loopback.
 */
export class MachineEntry {
  readonly #context: EntryContext;
  readonly #signal: AbortSignal;
  readonly #open = new MachineSockets();
  readonly #tls: tls.Server;
  /** Who has not said yet which instance it wants. */
  readonly #silent = new Set<net.Socket>();
  /** Whose handshakes are under way, by who they are, with the connection to the instance. */
  readonly #waiting = new Map<string, Caller>();
  #identity: MachineIdentity | null = null;
  #members: ReadonlySet<string> = new Set();
  #server: net.Server | null = null;
  #problem: ListenerProblem | null = null;
  #isClosing = false;
  readonly #emptied = Promise.withResolvers<void>();

  constructor(context: EntryContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#tls = tls.createServer({
      minVersion: "TLSv1.3",
      requestCert: true,
      rejectUnauthorized: true,
      allowHalfOpen: true,
      handshakeTimeout: context.limits.handshakeMs,
    });
    this.#tls.on("secureConnection", (socket) => this.#secured(socket));
    this.#tls.on("tlsClientError", (error, socket) => {
      context.log.debug("machine not let in", { from: socket.remoteAddress ?? "", error: error.message });
      socket.destroy();
    });
  }

  /** Takes what is sent to this identity, at its address; null: nothing. Connections of machines that are no members any more end. */
  async apply(identity: MachineIdentity | null): Promise<void> {
    const before = this.#identity?.entry;
    this.#identity = identity;
    this.#members = new Set(identity?.members);
    this.#open.keep(identity?.members ?? []);
    if (identity !== null)
      this.#tls.setSecureContext({ cert: identity.chain, key: identity.key, ca: identity.authority, minVersion: "TLSv1.3" });
    const { entry } = identity ?? {};
    if (before?.host === entry?.host && before?.port === entry?.port) return;
    this.#server?.close();
    this.#server = null;
    this.#problem = null;
    if (entry !== undefined && !(await this.#tryOpen(entry))) void this.#openLater(entry);
  }

  problems(): readonly ListenerProblem[] {
    return this.#problem === null ? [] : [this.#problem];
  }

  /** Takes nothing new. Resolves when everything that came in is over: who sent it closes what it does not use within seconds. */
  async closeGently(): Promise<void> {
    this.#isClosing = true;
    this.#server?.close();
    this.#checkEmpty();
    await this.#emptied.promise;
  }

  destroy(): void {
    this.#server?.close();
    for (const socket of this.#silent) socket.destroy();
    for (const { socket } of this.#waiting.values()) socket.destroy();
    this.#open.destroy();
  }

  async #tryOpen(address: MachineIdentity["entry"]): Promise<boolean> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
    this.#server = server;
    try {
      await this.#context.listen(server, address);
    } catch (error) {
      const { host, port } = address;
      const message = `other machines cannot send to this one at ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`;
      if (this.#problem === null)
        this.#context.log.warn("the entry for other machines could not be opened", { host, port, error: message });
      this.#problem = {
        route: "MACHINES" as RouteId,
        port,
        code: hasCode(error, "EADDRINUSE") ? "PORT_IN_USE" : "ENTRY_CLOSED",
        message,
      };
      return false;
    }
    // Another address may be wanted by now.
    if (this.#server !== server || this.#isClosing) server.close();
    else this.#problem = null;
    return true;
  }

  async #openLater(address: MachineIdentity["entry"]): Promise<void> {
    const isWanted = () => !this.#signal.aborted && !this.#isClosing && this.#identity?.entry === address;
    while (isWanted()) {
      await pause(this.#context.clock, retryEveryMs, this.#signal);
      if (!isWanted() || (await this.#tryOpen(address))) return;
      // What was sent anew meanwhile may say the same of the address.
    }
  }

  /** The instance first, then the handshake: so that one which fails says that no instance got anything, and another may be tried. */
  #accept(socket: net.Socket): void {
    const { limits } = this.#context;
    if (this.#silent.size + this.#waiting.size >= mostHandshakes) {
      socket.destroy();
      return;
    }
    this.#silent.add(socket);
    socket.once("close", () => this.#silent.delete(socket));
    peekClientHello(socket, this.#context, limits.handshakeMs, ({ serverName }) => {
      this.#silent.delete(socket);
      const port = this.#identity === null ? null : portOf(serverName, this.#identity.name);
      if (port === null) {
        socket.destroy();
        return;
      }
      socket.on("error", () => instance.destroy());
      const instance = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true, keepAlive: true });
      const from = peerOf(socket);
      const caller = { socket, instance };
      this.#waiting.set(from, caller);
      // What the instance breaks off is broken off, and does not end.
      instance.on("error", () => cut(socket));
      instance.on("close", () => this.#forget(from, caller));
      // Who gives up before its handshake is over takes the instance's connection along.
      socket.on("close", () => {
        if (this.#waiting.get(from) === caller) instance.destroy();
      });
      instance.once("connect", () => this.#tls.emit("connection", socket));
    });
  }

  #secured(socket: tls.TLSSocket): void {
    const from = peerOf(socket);
    const caller = this.#waiting.get(from);
    const name = nameOf(socket);
    if (caller === undefined || name === null || !this.#members.has(name)) {
      this.#context.log.warn("machine not let in", { from, name: name ?? "", error: "it is no member" });
      socket.destroy();
      caller?.instance.destroy();
      return;
    }
    this.#open.add(name, caller.socket);
    caller.socket.on("close", () => this.#checkEmpty());
    this.#forget(from, caller);
    // Whoever sends knows when silence is too long; TCP finds those that are gone.
    new Tunnel(socket, caller.instance, Number.POSITIVE_INFINITY, this.#context, () => {});
  }

  #forget(from: string, caller: Caller): void {
    if (this.#waiting.get(from) === caller) this.#waiting.delete(from);
    this.#checkEmpty();
  }

  #checkEmpty(): void {
    if (this.#isClosing && this.#waiting.size + this.#open.size === 0) this.#emptied.resolve();
  }
}

function peerOf({ remoteAddress = "", remotePort = 0 }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
