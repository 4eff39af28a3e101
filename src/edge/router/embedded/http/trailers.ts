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
  field.hopByHop,
]);

/** Whether a trailer of this name makes the message a doubtful one. @param name a token, in either case */
export function isRefusedTrailer(name: string): boolean {
  return refused.has(identify(name, 0, name.length));
}
