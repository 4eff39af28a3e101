import type { RequestHead } from "../http/request-head.ts";
import type { LiveRoute } from "../live-route.ts";

const bytes: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Ids of connections and of traces: 64 and 128 random bits in hex. Names, not secrets. */
export class RequestIds {
  readonly #random: () => number;

  /** @param random numbers from 0 to 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  trace(): string {
    return this.#word() + this.#word() + this.#word() + this.#word();
  }

  span(): string {
    return this.#word() + this.#word();
  }

  /** 32 bits. Never zero, which would make an id that is none. */
  #word(): string {
    const word = (this.#random() * 0xffff_ffff + 1) >>> 0;
    return `${bytes[word >>> 24]}${bytes[(word >>> 16) & 255]}${bytes[(word >>> 8) & 255]}${bytes[word & 255]}`;
  }
}

/** What a request id may be: what logs, shells and URLs take as it is. */
export const requestId = /^[A-Za-z0-9][A-Za-z0-9._=+/-]{0,127}$/;

/** W3C Trace Context, section 3.2: a version other than ff, and ids that are not zero. Later versions may say more behind it. */
export const traceparent =
  /^(?:00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}|(?!00|ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]{0,200})?)$/;

/** Its own, if who sent it may name requests. */
export function requestIdOf({ requestId }: RequestHead, client: { newRequestId(): string }): string {
  return requestId === "" ? client.newRequestId() : requestId;
}

/** The lines that name the request, for the app's own log. */
export function namingLines(id: string, { hasTrace }: RequestHead, { startsTraces }: LiveRoute, ids: RequestIds): string {
  const line = `x-request-id: ${id}\r\n`;
  return hasTrace || !startsTraces ? line : `${line}traceparent: 00-${ids.trace()}-${ids.span()}-00\r\n`;
}
