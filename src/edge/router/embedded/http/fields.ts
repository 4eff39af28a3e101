import { fieldValue, hasFolded, token } from "./characters.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** The header fields that mean something to a proxy. All others pass as they are. */
export const field = {
  other: 0,
  /** Says who the client is or what it asked for; only the edge itself may say that. */
  identity: 1,
  /** For one connection only, and of no use to the other side. */
  hopByHop: 2,
  host: 3,
  connection: 4,
  contentLength: 5,
  transferEncoding: 6,
  upgrade: 7,
  expect: 8,
  webSocketKey: 9,
  webSocketVersion: 10,
  keepAlive: 11,
  requestId: 12,
  traceparent: 13,
  forwardedFor: 14,
  forwardedProto: 15,
  te: 16,
  trailer: 17,
} as const;
export type Field = (typeof field)[keyof typeof field];

const known: Readonly<Record<string, Field>> = {
  host: field.host,
  connection: field.connection,
  "content-length": field.contentLength,
  "transfer-encoding": field.transferEncoding,
  upgrade: field.upgrade,
  expect: field.expect,
  "sec-websocket-key": field.webSocketKey,
  "sec-websocket-version": field.webSocketVersion,
  "keep-alive": field.keepAlive,
  "x-request-id": field.requestId,
  traceparent: field.traceparent,
  "x-forwarded-for": field.forwardedFor,
  "x-forwarded-proto": field.forwardedProto,
  te: field.te,
  trailer: field.trailer,
  "proxy-connection": field.hopByHop,
  "proxy-authorization": field.hopByHop,
  "proxy-authenticate": field.hopByHop,
  "http2-settings": field.hopByHop,
  // CGI programs would take it for the HTTP_PROXY of their environment.
  proxy: field.identity,
  forwarded: field.identity,
  "x-real-ip": field.identity,
  // RFC 9440.
  "client-cert": field.identity,
  "client-cert-chain": field.identity,
  // Some frameworks route by these instead of the path that the edge has checked.
  "x-original-url": field.identity,
  "x-rewrite-url": field.identity,
};
const identityPrefixes = ["x-forwarded-", "x-drover-", "x-ssl-", "x-client-cert-"];

interface KnownField {
  readonly name: string;
  readonly id: Field;
}
const byLength: readonly (readonly KnownField[])[] = Array.from({ length: 32 }, (_, length) =>
  Object.entries(known)
    .filter(([name]) => name.length === length)
    .map(([name, id]) => ({ name, id })),
);
const none: readonly KnownField[] = [];

/** Which field has the name that `text` holds from `start` to `end`. */
export function identify(text: string, start: number, end: number): Field {
  const length = end - start;
  for (const { name, id } of byLength[length] ?? none) if (hasFolded(text, start, name)) return id;
  const first = text.charCodeAt(start);
  if (first === 120 || first === 88)
    for (const prefix of identityPrefixes) if (length >= prefix.length && hasFolded(text, start, prefix)) return field.identity;
  return field.other;
}

const badName = refusal(400, "a header name is not valid");
const noColon = refusal(400, "a header line has no colon");
const badValue = refusal(400, "a header value holds a control character");
const tooMany = refusal(431, "there are too many headers");
const disguised = refusal(400, "a framing header is disguised");

/** What to do with a header line: pass it on, leave it out, or refuse the whole message. */
export const keep = true;
export const drop = false;
export type Verdict = boolean | Refusal;

/** Reads the lines of a head in one pass. What is passed on stays in runs of the original text, so that most heads are copied in a piece or two. */
export abstract class FieldReader {
  /** The lines that are passed on, each with its CRLF. */
  kept = "";

  protected abstract take(id: Field, text: string, valueStart: number, valueEnd: number): Verdict;

  /** `end` is where the CRLF of the last line starts. */
  protected readFields(text: string, from: number, end: number, maxLines: number): Refusal | null {
    this.kept = "";
    let runStart = from;
    let lines = 0;
    for (let at = from; at < end; ) {
      if (++lines > maxLines) return tooMany;
      const nameStart = at;
      while (token[text.charCodeAt(at)] === 1) at++;
      const nameEnd = at;
      if (text.charCodeAt(at) !== 58) return nameEnd > nameStart && text.charCodeAt(at) === 13 ? noColon : badName;
      if (nameEnd === nameStart) return badName;
      at++;
      let valueStart = at;
      while (fieldValue[text.charCodeAt(at)] === 1) at++;
      // The head ends in CRLF CRLF, so a lone CR, a lone LF, NUL or a folded line cannot hide: each stops here or fails as a name.
      if (text.charCodeAt(at) !== 13 || text.charCodeAt(at + 1) !== 10) return badValue;
      const next = at + 2;
      const id = identify(text, nameStart, nameEnd);
      if (id !== field.other) {
        let valueEnd = at;
        // Some readers take a tab for a part of the value, and would then see another length or coding than others.
        const tab = id === field.contentLength || id === field.transferEncoding ? 32 : 9;
        while (valueStart < valueEnd && isBlank(text.charCodeAt(valueStart), tab)) valueStart++;
        while (valueEnd > valueStart && isBlank(text.charCodeAt(valueEnd - 1), tab)) valueEnd--;
        const underscore = text.indexOf("_", nameStart);
        let verdict: Verdict;
        if (underscore !== -1 && underscore < nameEnd)
          verdict = id === field.contentLength || id === field.transferEncoding || id === field.host ? disguised : drop;
        else verdict = this.take(id, text, valueStart, valueEnd);
        if (verdict !== keep) {
          if (verdict !== drop) return verdict as Refusal;
          if (runStart < nameStart) this.kept += text.slice(runStart, nameStart);
          runStart = next;
        }
      }
      at = next;
    }
    if (runStart < end + 2) this.kept += text.slice(runStart, end + 2);
    return null;
  }

  /** Leaves out the lines that `Connection` named as meant for this connection only. */
  protected dropNamed(names: readonly string[]): void {
    const lines = this.kept.split("\r\n");
    lines.pop();
    const passed = lines.filter((line) => !names.includes(line.slice(0, line.indexOf(":")).toLowerCase()));
    this.kept = passed.map((line) => `${line}\r\n`).join("");
  }
}

function isBlank(code: number, tab: number): boolean {
  return code === 32 || code === tab;
}

/** The value of a Content-Length: plain digits that a double holds exactly; -1 if it is anything else. */
export function contentLength(text: string, start: number, end: number): number {
  if (end <= start || end - start > 15) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  // 010 is eight to some and ten to others.
  return text.charCodeAt(start) === 48 && end - start > 1 ? -1 : value;
}
