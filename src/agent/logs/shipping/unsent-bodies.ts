import { longestQuery } from "#model/log-query.ts";
import { isLogPlace, type UnsentQuestion, type UnsentRead } from "#model/log-shipping.ts";
import { isCount, isNumber, isRecord, isText } from "#model/shape.ts";
import { isScope, unreadable } from "../log-bodies.ts";

/** Longer than a server ever waits; a call that is forgotten must end. */
const longestWaitMs = 60_000;
/** An answer is held in memory by both sides. */
const mostLimitBytes = 4 * 2 ** 20;

/** @throws {DroverError} REQUEST_INVALID */
export function readUnsentQuestion(value: unknown): UnsentQuestion {
  if (isUnread(value) && isCount(value["waitMs"]) && value["waitMs"] <= longestWaitMs) return value as unknown as UnsentQuestion;
  throw unreadable("question for unsent lines");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readUnsentRead(value: unknown): UnsentRead {
  if (
    isUnread(value) &&
    isText(value["query"], longestQuery) &&
    (value["after"] === null || isText(value["after"])) &&
    isCount(value["limitBytes"]) &&
    value["limitBytes"] > 0 &&
    value["limitBytes"] <= mostLimitBytes
  )
    return value as unknown as UnsentRead;
  throw unreadable("reading of unsent lines");
}

function isUnread(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    isRecord(value) &&
    isScope(value) &&
    isNumber(value["sinceMs"]) &&
    isRecord(value["places"]) &&
    Object.values(value["places"]).every(isLogPlace)
  );
}
