import { createHmac } from "node:crypto";
import type { Clock } from "#model/clock.ts";

const clientBytes = 8;
const serverBytes = 16;
/** RFC 9018, 4.3: older ones are no proof any more, and one that is half as old is replaced. */
const validS = 3_600;

/** The cookie that goes with an answer, and whether the query's proves that its address is no forgery. */
export interface CheckedCookie {
  readonly isValid: boolean;
  readonly reply: Buffer;
}

/**
 * DNS cookies (RFC 7873) in the layout of RFC 9018: a version, the time, and a keyed hash over both, the client's cookie and its address. The key
 * is this process's own: after a restart clients are given new ones with the next answer.
 */
export class Cookies {
  readonly #secret: Buffer;
  readonly #clock: Clock;

  /** @param secret 32 random bytes. */
  constructor(secret: Buffer, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  check(cookie: Buffer, address: string): CheckedCookie {
    const nowS = Math.floor(this.#clock.monotonicMs() / 1_000) >>> 0;
    const client = cookie.subarray(0, clientBytes);
    const isValid = cookie.length === clientBytes + serverBytes && this.#isOurs(cookie, address, nowS);
    return { isValid, reply: Buffer.concat([client, this.#serverCookie(client, address, nowS)]) };
  }

  #isOurs(cookie: Buffer, address: string, nowS: number): boolean {
    const madeAtS = cookie.readUInt32BE(clientBytes + 4);
    if (madeAtS > nowS || nowS - madeAtS > validS) return false;
    // The comparison need not hide its duration: a forger would have to hear the answers, and then needs no cookie.
    return this.#serverCookie(cookie.subarray(0, clientBytes), address, madeAtS).equals(cookie.subarray(clientBytes));
  }

  #serverCookie(client: Buffer, address: string, atS: number): Buffer {
    const head = Buffer.alloc(8);
    head[0] = 1;
    head.writeUInt32BE(atS, 4);
    const hash = createHmac("sha256", this.#secret).update(client).update(head).update(address).digest();
    return Buffer.concat([head, hash.subarray(0, 8)]);
  }
}
