import dgram from "node:dgram";
import { once } from "node:events";
import { errorFields } from "#host/log.ts";
import type { AppMetric } from "#model/app-metrics.ts";
import { type Clock, pause } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId } from "#model/names.ts";
import { StatsdFigures } from "./statsd-figures.ts";

/** What is read of one instance within a second. Some twenty thousand lines: more is a fault, and reading it would take the machine from others. */
const mostBytesPerSecond = 2 ** 20;
/** A packet costs at least so much of that, because each one wakes the agent. */
const leastBytesOfPacket = 100;
const secondMs = 1_000;
/** Ports that are tried before none is found. */
const mostTries = 20;

export interface StatsdListenersOptions {
  readonly clock: Clock;
  readonly log: Log;
}

interface Listener {
  readonly port: number;
  readonly figures: StatsdFigures;
  readonly stop: AbortController;
  socket: dgram.Socket | null;
  secondAtMs: number;
  bytes: number;
}

/**
 * A port of 127.0.0.1 for each instance that sends figures by statsd: whose they are the port says, and not what is sent. There is none where no instance asked
 * for one.
 */
export class StatsdListeners {
  readonly #options: StatsdListenersOptions;
  readonly #listeners = new Map<InstanceId, Listener>();

  constructor(options: StatsdListenersOptions) {
    this.#options = options;
  }

  /**
   * Listens for an instance until it is closed; resolves at once if it does already.
   * @param assign a port that no other instance has @returns null when none is free
   */
  async open(instance: InstanceId, wanted: number | null, assign: () => Promise<number>): Promise<number | null> {
    const known = this.#listeners.get(instance);
    if (known !== undefined) return known.port;
    const { clock, log } = this.#options;
    for (let tried = 0; tried < mostTries; tried++) {
      const port = tried === 0 && wanted !== null ? wanted : await assign();
      try {
        const figures = new StatsdFigures(() => clock.monotonicMs());
        const listener: Listener = { port, figures, stop: new AbortController(), socket: null, secondAtMs: clock.monotonicMs(), bytes: 0 };
        await this.#listen(listener, instance);
        this.#listeners.set(instance, listener);
        return port;
      } catch (error) {
        if (!hasCode(error, "EADDRINUSE")) throw error;
        // What runs already has this port in its environment: another one would be of no use to it.
        if (wanted !== null) break;
      }
    }
    log.warn("no port for figures by statsd", { instance, ...(wanted === null ? {} : { port: wanted }) });
    return null;
  }

  close(instance: InstanceId): void {
    const listener = this.#listeners.get(instance);
    this.#listeners.delete(instance);
    listener?.stop.abort();
    listener?.socket?.close();
  }

  closeAll(): void {
    for (const instance of [...this.#listeners.keys()]) this.close(instance);
  }

  /** What the instance sent so far, and how much of it had no place; null if nothing listens for it. */
  read(instance: InstanceId): { readonly metrics: readonly AppMetric[]; readonly leftOut: number; readonly isFull: boolean } | null {
    const figures = this.#listeners.get(instance)?.figures;
    return figures === undefined ? null : { metrics: figures.metrics(), leftOut: figures.leftOut, isFull: figures.isFull };
  }

  async #listen(listener: Listener, instance: InstanceId): Promise<void> {
    const socket = dgram.createSocket("udp4");
    socket.bind({ address: "127.0.0.1", port: listener.port, exclusive: true });
    try {
      await once(socket, "listening");
    } catch (error) {
      // One that could not listen is open all the same, and is tried again every second.
      socket.close();
      throw error;
    }
    socket.unref();
    socket.on("error", (error) => this.#options.log.warn("figures by statsd were not read", { instance, ...errorFields(error) }));
    socket.on("message", (packet) => this.#take(listener, instance, packet));
    listener.socket = socket;
  }

  #take(listener: Listener, instance: InstanceId, packet: Buffer): void {
    if (listener.socket === null) return;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - listener.secondAtMs >= secondMs) [listener.secondAtMs, listener.bytes] = [nowMs, 0];
    listener.bytes += Math.max(packet.length, leastBytesOfPacket);
    if (listener.bytes <= mostBytesPerSecond) {
      listener.figures.take(packet.toString());
      return;
    }
    listener.figures.leaveOut();
    // A socket that nobody reads would still wake the agent for each packet.
    listener.socket.close();
    listener.socket = null;
    void this.#listenAgain(listener, instance);
  }

  async #listenAgain(listener: Listener, instance: InstanceId): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = listener.stop;
    log.warn("an instance sends more figures by statsd than are read", { instance, bytes_per_second: mostBytesPerSecond });
    while (!signal.aborted && listener.socket === null) {
      await pause(clock, secondMs, signal);
      if (signal.aborted) return;
      try {
        await this.#listen(listener, instance);
      } catch (error) {
        log.warn("figures by statsd are not read", { instance, ...errorFields(error) });
      }
    }
    // Closed while it was being opened.
    if (signal.aborted) listener.socket?.close();
  }
}
