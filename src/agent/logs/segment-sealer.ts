import { errorFields } from "#host/log.ts";
import type { Log } from "#model/log.ts";
import type { Background } from "../background.ts";
import type { AppLog } from "./app-log.ts";

/** Seals what is full, in the background: one segment at a time, since that takes as long as any other work here; of apps in turn, so that a flood of one leaves no others waiting. */
export class SegmentSealer {
  readonly #background: Background;
  readonly #log: Log;
  readonly #closing: AbortSignal;
  /** Apps with segments that can be sealed. */
  readonly #waiting = new Set<AppLog>();
  #isSealing = false;
  /** What segments are read into, one after another while there are any: memory that is given back and taken again for each costs time, and nothing of it stays at rest. */
  #room = Buffer.alloc(0);

  constructor(background: Background, log: Log, closing: AbortSignal) {
    this.#background = background;
    this.#log = log;
    this.#closing = closing;
  }

  sealLater(appLog: AppLog): void {
    this.#waiting.add(appLog);
    if (this.#isSealing) return;
    this.#isSealing = true;
    this.#background.goOn("segments of logs are left uncompressed", async () => {
      try {
        for (const next of this.#waiting) {
          this.#waiting.delete(next);
          if (await this.#sealOne(next)) this.#waiting.add(next);
        }
      } finally {
        this.#isSealing = false;
        this.#room = Buffer.alloc(0);
      }
    });
  }

  /** @returns whether the app has more of them */
  async #sealOne(appLog: AppLog): Promise<boolean> {
    try {
      return await appLog.sealOne((bytes) => this.#roomFor(bytes), this.#closing);
    } catch (error) {
      this.#closing.throwIfAborted();
      this.#log.warn("a segment of logs is left uncompressed", { app: appLog.app, ...errorFields(error) });
      return appLog.hasUnsealed;
    }
  }

  #roomFor(bytes: number): Buffer {
    if (this.#room.length < bytes) this.#room = Buffer.allocUnsafeSlow(bytes);
    return this.#room.subarray(0, bytes);
  }
}
