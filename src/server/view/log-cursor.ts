import { DroverError } from "#model/errors.ts";
import type { LogKey } from "#model/log-event.ts";
import type { InstanceId } from "#model/names.ts";
import { isCount, isNumber, isText, parseJson } from "#model/shape.ts";

/** A place among events, as callers hand it back. */
export function writeCursor({ atMs, instance, sequence }: LogKey): string {
  return Buffer.from(JSON.stringify([atMs, instance, sequence])).toString("base64url");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readCursor(cursor: string): LogKey {
  const parts = parseJson(Buffer.from(cursor, "base64url").toString());
  if (Array.isArray(parts)) {
    const [atMs, instance, sequence] = parts as unknown[];
    if (isNumber(atMs) && isText(instance, 256) && isCount(sequence)) return { atMs, instance: instance as InstanceId, sequence };
  }
  throw new DroverError("REQUEST_INVALID", "the cursor is none that a page gave", {
    hint: "Send back `next` of the page before as it is.",
  });
}
