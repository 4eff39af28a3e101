import { type Field, field, identify } from "./fields.ts";

/**
 * What says where a message ends, whom it is for, or what becomes of its connection. Behind the body it is too late for that: who reads it there
 * all the same has read another message (RFC 9110, section 6.5.1).
 */
const refused: ReadonlySet<Field> = new Set([
  field.host,
  field.connection,
  field.contentLength,
  field.transferEncoding,
  field.upgrade,
  field.expect,
  field.te,
  field.trailer,
  field.hopByHop,
]);

/** What changes how a message is understood, or who may see it; the same section lists them by kind. Left out, since it may have been acted on already. */
const dropped = new Set([
  "age",
  "authorization",
  "cache-control",
  "content-encoding",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expires",
  "location",
  "pragma",
  "retry-after",
  "set-cookie",
  "strict-transport-security",
  "vary",
  "warning",
  "www-authenticate",
]);

/** Whether a trailer of this name makes the message a doubtful one. @param name a token, in either case */
export function isRefusedTrailer(name: string): boolean {
  return refused.has(identify(name, 0, name.length));
}

/** Whether a trailer of this name goes on to who takes trailers: it is the app's or the client's own, and nothing that the edge or a browser goes by. */
export function isPassedTrailer(name: string): boolean {
  return identify(name, 0, name.length) === field.other && !dropped.has(name.toLowerCase());
}
