import { writeDoor } from "#host/edge-door.ts";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { RouteId } from "#model/names.ts";
import type { ListenerProblem } from "./router/router.ts";

/** What is under way when the ports are closed gets this long, WebSockets among it: as much as when another edge takes over. */
const drainMs = 5 * 60_000;
/** Whoever had the port a moment ago may still hold it until the kernel has cleaned up. */
const portRetry = { attempts: 100, everyMs: 20 } as const;

export interface DoorOptions {
  /** Of the edge. */
  readonly folder: string;
  readonly http: { readonly host: string; readonly port: number };
  /** Opens the public addresses and the ports of routes there. @throws {Error} with the system's code, such as EADDRINUSE */
  readonly open: () => Promise<void>;
  /** Takes nothing new there; what is open goes on for `drainMs` at most. */
  readonly close: (drainMs: number) => Promise<void>;
  /** Has whoever else holds the public sockets let go of them. */
  readonly release: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The ports at which this machine takes what comes from outside: open or closed, as the server says. */
export class Door {
  readonly #options: DoorOptions;
  #isOpen: boolean;
  #problem: ListenerProblem | null = null;
  #changing: Promise<void> = Promise.resolve();

  constructor(isOpen: boolean, options: DoorOptions) {
    this.#isOpen = isOpen;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  problems(): readonly ListenerProblem[] {
    return this.#problem === null ? [] : [this.#problem];
  }

  /** Resolves once it is so; a restart does not change it. @throws {DroverError} PORT_IN_USE, NOT_YET_SUPPORTED */
  set(isOpen: boolean): Promise<void> {
    const changed = this.#changing.then(() => this.#change(isOpen));
    this.#changing = changed.catch(() => {}); // Whoever asked has its error; the next one only waits for its end.
    return changed;
  }

  async #change(isOpen: boolean): Promise<void> {
    const { folder, http, release, close, signal } = this.#options;
    // Told until it is over, also while it is tried again.
    if (!isOpen) this.#problem = null;
    if (isOpen === this.#isOpen) return;
    if (isOpen) {
      try {
        await this.openNow();
      } catch (error) {
        if (!(error instanceof DroverError)) throw error;
        this.#problem = { route: "HTTP" as RouteId, port: http.port, code: error.code, message: error.message };
        throw error;
      }
      this.#problem = null;
      await writeDoor(folder, true);
    } else {
      await release(signal);
      await writeDoor(folder, false);
      await close(drainMs);
    }
    this.#isOpen = isOpen;
  }

  /** @throws {DroverError} PORT_IN_USE if somebody else has the port, and keeps it */
  async openNow(): Promise<void> {
    const { http, open, clock, signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await open();
      } catch (error) {
        if (!hasCode(error, "EADDRINUSE")) throw error;
        if (attempt === portRetry.attempts)
          throw new DroverError("PORT_IN_USE", `the edge cannot listen on ${http.host}:${http.port}: the port is taken`, {
            hint: "Stop what listens there, or give Drover another address with --http HOST:PORT.",
            cause: error,
          });
        await pause(clock, portRetry.everyMs, signal);
        signal.throwIfAborted();
      }
    }
  }
}
