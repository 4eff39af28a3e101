import { fieldValue } from "./characters.ts";
import { contentLength, drop, type Field, FieldReader, field, keep, type Verdict } from "./fields.ts";
import { type Refusal, refusal } from "./refusal.ts";

const badLine = refusal(502, "the app's status line is not valid");
const badLength = refusal(502, "the app's Content-Length is not valid");
const badCoding = refusal(502, "the app's Transfer-Encoding is not exactly one chunked");
const twoFramings = refusal(502, "the app's answer has both Content-Length and Transfer-Encoding");

/** The head of an app's answer, read as strictly as a request: a connection to an app carries the answers of many clients. */
export class ResponseHead extends FieldReader {
  status = 0;
  /** `200 OK`: what follows the version. */
  statusText = "";
  /** -1: none given. */
  contentLength = -1;
  isChunked = false;
  keepAlive = true;
  upgrade = "";
  /** Which trailers the app says will come; empty if it does not say. */
  trailer = "";
  /** How long the app says that it keeps an idle connection, in milliseconds; -1 if it does not say. */
  keepForMs = -1;

  #keepsLength = true;
  #connection = "";

  /** `text` holds the head from its beginning; its last CRLF CRLF begins at `end`. `method` is the request's. */
  read(text: string, end: number, method: string, maxLines: number): Refusal | null {
    const lineEnd = text.indexOf("\r\n");
    const minor = text.startsWith("HTTP/1.1 ") ? 1 : text.startsWith("HTTP/1.0 ") ? 0 : -1;
    if (minor === -1) return badLine;
    this.status = digit(text, 9) * 100 + digit(text, 10) * 10 + digit(text, 11);
    if (!(this.status >= 100 && this.status < 600)) return badLine;
    // Some servers leave out the space when they have no reason to give.
    if (lineEnd > 12 && text.charCodeAt(12) !== 32) return badLine;
    for (let at = 12; at < lineEnd; at++) if (fieldValue[text.charCodeAt(at)] !== 1) return badLine;
    this.statusText = lineEnd > 12 ? text.slice(9, lineEnd) : `${text.slice(9, lineEnd)} `;
    this.contentLength = -1;
    this.isChunked = false;
    this.keepAlive = minor === 1;
    this.upgrade = "";
    this.trailer = "";
    this.keepForMs = -1;
    this.#connection = "";
    // RFC 9110, section 8.6: these have no length of their own.
    this.#keepsLength = this.status >= 200 && this.status !== 204;
    const refused = this.readFields(text, lineEnd + 2, end, maxLines);
    if (refused !== null) return refused.status === 502 ? refused : { status: 502, reason: `in the app's answer, ${refused.reason}` };
    if (this.isChunked && (this.contentLength !== -1 || minor === 0)) return twoFramings;
    this.#readConnection();
    if (method === "HEAD" || this.status === 204 || this.status === 304 || this.status < 200) {
      this.contentLength = 0;
      this.isChunked = false;
    }
    return null;
  }

  protected take(id: Field, text: string, valueStart: number, valueEnd: number): Verdict {
    switch (id) {
      case field.contentLength: {
        if (this.contentLength !== -1) return badLength;
        this.contentLength = contentLength(text, valueStart, valueEnd);
        if (this.contentLength === -1) return badLength;
        return this.#keepsLength ? keep : drop;
      }
      case field.transferEncoding:
        if (this.isChunked || text.slice(valueStart, valueEnd).toLowerCase() !== "chunked") return badCoding;
        this.isChunked = true;
        return drop;
      case field.connection:
        this.#connection += `${text.slice(valueStart, valueEnd).toLowerCase()},`;
        return drop;
      case field.keepAlive: {
        const seconds = /\btimeout=(\d{1,6})\b/.exec(text.slice(valueStart, valueEnd))?.[1];
        if (seconds !== undefined) this.keepForMs = Number(seconds) * 1_000;
        return drop;
      }
      case field.upgrade:
        this.upgrade = text.slice(valueStart, valueEnd);
        return drop;
      case field.trailer:
        this.trailer = text.slice(valueStart, valueEnd);
        return drop;
      case field.te:
      case field.hopByHop:
        return drop;
      default:
        return keep;
    }
  }

  #readConnection(): void {
    if (this.#connection === "" || this.#connection === "keep-alive,") return;
    if (this.#connection === "close,") {
      this.keepAlive = false;
      return;
    }
    const named: string[] = [];
    for (const part of this.#connection.split(",")) {
      const option = part.trim();
      if (option === "close") this.keepAlive = false;
      else if (option !== "" && option !== "keep-alive" && option !== "upgrade") named.push(option);
    }
    if (named.length > 0) this.dropNamed(named);
  }
}

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 48;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}
