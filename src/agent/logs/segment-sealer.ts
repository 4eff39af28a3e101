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
      }
    });
  }

  /** @returns whether the app has more of them */
  async #sealOne(appLog: AppLog): Promise<boolean> {
    try {
      return await appLog.sealOne(this.#closing);
    } catch (error) {
      this.#closing.throwIfAborted();
      this.#log.warn("a segment of logs is left uncompressed", { app: appLog.app, ...errorFields(error) });
      return appLog.hasUnsealed;
    }
  }
}
