import { requestId, traceparent } from "../policy/request-ids.ts";
import { plainPath, query } from "./characters.ts";
import { contentLength, drop, type Field, FieldReader, field, keep, type Verdict } from "./fields.ts";
import { type CanonicalHost, canonicalHost } from "./host.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { canonicalTarget } from "./target.ts";

const badLine = refusal(400, "the request line is not valid");
const badMethod = refusal(400, "the method is not valid");
const badTarget = refusal(400, "the request target is not valid, or could be read in more than one way");
const badVersion = refusal(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
const noTunnel = refusal(405, "the method is not allowed here");
const longLine = refusal(414, "the request line is too long");
const hostMissing = refusal(400, "the request has no Host");
const hostTwice = refusal(400, "the request has more than one Host");
const badHost = refusal(400, "the Host is not valid");
const hostDiffers = refusal(400, "the request target names another host than the Host header");
const badLength = refusal(400, "the Content-Length is not valid");
const lengthTwice = refusal(400, "the request has more than one Content-Length");
const badCoding = refusal(400, "the Transfer-Encoding is not exactly one chunked");
const twoFramings = refusal(400, "the request has both Content-Length and Transfer-Encoding");
const oldCoding = refusal(400, "HTTP/1.0 has no Transfer-Encoding");
const badExpect = refusal(417, "only 100-continue can be expected");
const badConnection = refusal(400, "the Connection header names a header that belongs to the message");
const upgradeTwice = refusal(400, "the request asks for more than one upgrade");
const upgradeWithBody = refusal(400, "a request for an upgrade has no body");
const badWebSocket = refusal(400, "the WebSocket handshake is not valid");
const otherWebSocket = refusal(426, "only WebSocket version 13 is spoken here");

const methodPattern = /^[A-Z]+(?:-[A-Z]+)*$/;
/** Longest method in the registry of methods is 17 letters. */
const longestMethod = 32;
const upgradePattern = /^[a-z0-9.-]{1,32}(?:\/[a-z0-9.-]{1,16})?$/i;
/** HTTP/2 and TLS would take the connection out of the reader's sight; other versions of HTTP have no use for an upgrade. */
const neverUpgraded = /^(?:h2c?|tls|http)(?:\/|$)/i;
const trailersPattern = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i;
const webSocketKey = /^[A-Za-z0-9+/]{22}==$/;
/** Headers that are the message's own; a client that has them left out wants the app to see another message than the edge. */
const notForConnection = new Set(["host", "content-length", "transfer-encoding", "authorization", "cookie", "origin", "expect"]);

/** A request head, read strictly: whatever two readers could understand differently is refused. Reused for all requests of a connection. */
export class RequestHead extends FieldReader {
  method = "";
  /** Origin form, path canonical. */
  target = "";
  path = "";
  /** Minor version of HTTP/1. */
  minor = 1;
  host: CanonicalHost = { name: "", header: "" };
  /** -1: none given. */
  contentLength = -1;
  isChunked = false;
  keepAlive = true;
  expectsContinue = false;
  /** Whether the client says that it does not lose trailers of an answer (RFC 9110, section 10.1.4). */
  takesTrailers = false;
  /** Protocol to switch to, as the client wrote it; empty if it asks for none that may be. */
  upgrade = "";
  /** Given by a proxy that is trusted, and valid; else empty. */
  requestId = "";
  /** Whether the client's trace goes on: its valid traceparent is among the lines that are kept. */
  hasTrace = false;
  /** Whether the connection is one of a trusted proxy, which may say who the client is. */
  isFromProxy = false;
  forwardedFor = "";
  forwardedProto = "";

  #hostText: string | null = null;
  #lastHostText: string | null = null;
  #connection = "";
  #key = "";
  #version = "";

  /** `text` holds the head from `start`; its last CRLF CRLF begins at `end`. */
  read(
    text: string,
    start: number,
    end: number,
    limits: { readonly requestLineBytes: number; readonly headerLines: number },
  ): Refusal | null {
    this.contentLength = -1;
    this.isChunked = false;
    this.expectsContinue = false;
    this.takesTrailers = false;
    this.upgrade = "";
    this.requestId = "";
    this.hasTrace = false;
    this.#hostText = null;
    this.#connection = "";
    this.#key = "";
    this.#version = "";
    if (this.isFromProxy) this.forwardedFor = this.forwardedProto = "";
    const lineEnd = text.indexOf("\r\n", start);
    if (lineEnd - start > limits.requestLineBytes) return longLine;
    const authority = this.#readLine(text, start, lineEnd);
    if (typeof authority === "object" && authority !== null) return authority;
    const refused = this.readFields(text, lineEnd + 2, end, limits.headerLines);
    return refused ?? this.#check(authority);
  }

  get hasBody(): boolean {
    return this.isChunked || this.contentLength > 0;
  }

  get isWebSocket(): boolean {
    return this.upgrade.toLowerCase() === "websocket";
  }

  /** Returns the authority of a target in absolute form, null for origin form. */
  #readLine(text: string, start: number, lineEnd: number): Refusal | string | null {
    const methodEnd = text.indexOf(" ", start);
    if (methodEnd === -1 || methodEnd >= lineEnd) return badLine;
    if (text.startsWith("GET ", start)) this.method = "GET";
    else {
      this.method = text.slice(start, methodEnd);
      if (this.method.length > longestMethod || !methodPattern.test(this.method)) return badMethod;
      // CONNECT opens tunnels to anywhere, TRACE echoes cookies to scripts.
      if (this.method === "CONNECT" || this.method === "TRACE") return noTunnel;
    }
    const targetEnd = lineEnd - 9;
    if (targetEnd <= methodEnd || text.charCodeAt(targetEnd) !== 32) return badLine;
    if (text.startsWith("HTTP/1.1", targetEnd + 1)) this.minor = 1;
    else if (text.startsWith("HTTP/1.0", targetEnd + 1)) this.minor = 0;
    else return /^HTTP\/\d\.\d$/.test(text.slice(targetEnd + 1, lineEnd)) ? badVersion : badLine;
    return this.#readTarget(text, methodEnd + 1, targetEnd);
  }

  #readTarget(text: string, start: number, end: number): Refusal | string | null {
    if (text.charCodeAt(start) === 47) {
      let at = start;
      for (; at < end; at++) {
        const code = text.charCodeAt(at);
        if (code === 63) break;
        // Anything but a plain path with single slashes and no dot segment takes the careful way.
        if (plainPath[code] !== 1) return this.#readCarefully(text.slice(start, end));
        if (code === 47) {
          const next = text.charCodeAt(at + 1);
          if (next === 47 || next === 46) return this.#readCarefully(text.slice(start, end));
        }
      }
      const pathEnd = at;
      for (at++; at < end; at++) if (query[text.charCodeAt(at)] !== 1) return badTarget;
      this.target = text.slice(start, end);
      this.path = pathEnd === end ? this.target : text.slice(start, pathEnd);
      return null;
    }
    const match = /^http:\/\/([^/?#]*)(.*)$/i.exec(text.slice(start, end));
    const [, authority, rest = ""] = match ?? [];
    if (authority === undefined || authority === "") return badTarget;
    return this.#readCarefully(rest.startsWith("/") ? rest : `/${rest}`) ?? authority;
  }

  #readCarefully(target: string): Refusal | null {
    const canonical = canonicalTarget(target);
    if (canonical === null) return badTarget;
    this.target = canonical.target;
    this.path = canonical.path;
    return null;
  }

  protected take(id: Field, text: string, valueStart: number, valueEnd: number): Verdict {
    switch (id) {
      case field.host:
        if (this.#hostText !== null) return hostTwice;
        this.#hostText = text.slice(valueStart, valueEnd);
        return drop;
      case field.contentLength:
        if (this.contentLength !== -1) return lengthTwice;
        this.contentLength = contentLength(text, valueStart, valueEnd);
        return this.contentLength === -1 ? badLength : drop;
      case field.transferEncoding:
        if (this.isChunked || text.slice(valueStart, valueEnd).toLowerCase() !== "chunked") return badCoding;
        this.isChunked = true;
        return drop;
      case field.connection:
        this.#connection += `${text.slice(valueStart, valueEnd).toLowerCase()},`;
        return drop;
      case field.expect:
        if (text.slice(valueStart, valueEnd).toLowerCase() !== "100-continue") return badExpect;
        this.expectsContinue = true;
        return drop;
      case field.te:
        if (trailersPattern.test(text.slice(valueStart, valueEnd))) this.takesTrailers = true;
        return drop;
      case field.upgrade:
        if (this.upgrade !== "") return upgradeTwice;
        this.upgrade = text.slice(valueStart, valueEnd);
        return drop;
      case field.webSocketKey:
        this.#key = text.slice(valueStart, valueEnd);
        return keep;
      case field.webSocketVersion:
        this.#version = text.slice(valueStart, valueEnd);
        return keep;
      case field.requestId:
        this.#takeRequestId(text.slice(valueStart, valueEnd));
        return drop;
      case field.traceparent:
        // A second one makes both doubtful, and the first is passed on already: it stays.
        if (this.hasTrace || !traceparent.test(text.slice(valueStart, valueEnd))) return drop;
        this.hasTrace = true;
        return keep;
      case field.forwardedFor:
        if (this.isFromProxy) this.forwardedFor += `${this.forwardedFor === "" ? "" : ","}${text.slice(valueStart, valueEnd)}`;
        return drop;
      case field.forwardedProto:
        if (this.isFromProxy) this.forwardedProto = text.slice(valueStart, valueEnd).toLowerCase();
        return drop;
      default:
        return drop;
    }
  }

  #takeRequestId(value: string): void {
    if (this.isFromProxy && this.requestId === "" && requestId.test(value)) this.requestId = value;
  }

  #check(authority: string | null): Refusal | null {
    if (this.isChunked) {
      if (this.contentLength !== -1) return twoFramings;
      if (this.minor === 0) return oldCoding;
    }
    const asksUpgrade = this.#readConnection();
    if (asksUpgrade === null) return badConnection;
    if (this.#hostText === null) return hostMissing;
    // Requests of one connection mostly ask the same host.
    if (this.#hostText !== this.#lastHostText) {
      const host = canonicalHost(this.#hostText);
      if (host === null) return badHost;
      this.host = host;
      this.#lastHostText = this.#hostText;
    }
    if (authority !== null && canonicalHost(authority)?.header !== this.host.header) return hostDiffers;
    return this.#checkUpgrade(asksUpgrade);
  }

  /** Whether `Connection` has `upgrade`; null if it names what it must not. */
  #readConnection(): boolean | null {
    this.keepAlive = this.minor === 1;
    if (this.#connection === "") return false;
    let asksUpgrade = false;
    let named: string[] | null = null;
    for (const part of this.#connection.split(",")) {
      const option = part.trim();
      if (option === "close") this.keepAlive = false;
      else if (option === "upgrade") asksUpgrade = true;
      else if (option !== "" && option !== "keep-alive") {
        if (notForConnection.has(option)) return null;
        named ??= [];
        named.push(option);
      } else if (option === "keep-alive" && this.minor === 0) this.keepAlive = !this.#connection.includes("close");
    }
    if (named !== null) this.dropNamed(named);
    return asksUpgrade;
  }

  #checkUpgrade(asksUpgrade: boolean): Refusal | null {
    // An upgrade is an offer: one that is not taken up makes an ordinary request of it (RFC 9110, section 7.8).
    if (!asksUpgrade || this.minor === 0 || !upgradePattern.test(this.upgrade) || neverUpgraded.test(this.upgrade)) {
      this.upgrade = "";
      return null;
    }
    // What a client sends ahead is meant for the new protocol: if the app refuses to switch, it must not be read as a request.
    this.keepAlive = false;
    if (this.hasBody) return upgradeWithBody;
    if (!this.isWebSocket) return null;
    if (this.method !== "GET" || !webSocketKey.test(this.#key)) return badWebSocket;
    return this.#version === "13" ? null : otherWebSocket;
  }
}
