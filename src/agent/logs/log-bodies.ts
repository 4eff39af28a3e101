import { DroverError } from "#model/errors.ts";
import {
  type LogContext,
  type LogCount,
  type LogKey,
  type LogScope,
  type LogSearch,
  type LogTail,
  mostBuckets,
  type TailMasks,
} from "#model/log-event.ts";
import type { KeepRules } from "#model/log-keep.ts";
import { longestQuery } from "#model/log-query.ts";
import { isCount, isListOf, isNumber, isRecord, isText } from "#model/shape.ts";
import { isKinds, isMasks } from "../link-bodies.ts";
import { isKeepRules } from "./keep-rules.ts";

/* Questions about logs as they come over the link, checked as `link-bodies.ts` checks the rest. */

const longestPrefix = 256;
/** A page that people read, or a part of an export. */
const mostEvents = 1_000;

/** @throws {DroverError} REQUEST_INVALID */
export function readKeepRules(value: unknown): KeepRules {
  if (isRecord(value) && isKeepRules(value["spaces"])) return value["spaces"];
  throw unreadable("rule of keeping");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readLogSearch(value: unknown): LogSearch {
  if (isRange(value) && isCount(value["limit"]) && value["limit"] > 0 && value["limit"] <= mostEvents && isKeyOrNull(value["before"]))
    return value as unknown as LogSearch;
  throw unreadable("search");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readLogCount(value: unknown): LogCount {
  if (isRange(value)) {
    const { sinceMs, untilMs, bucketMs } = value;
    if (isNumber(sinceMs) && isNumber(untilMs) && isNumber(bucketMs) && bucketMs > 0 && (untilMs - sinceMs) / bucketMs <= mostBuckets)
      return value as unknown as LogCount;
  }
  throw unreadable("count");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readLogContext(value: unknown): LogContext {
  if (
    isRecord(value) &&
    isText(value["instance"], longestPrefix) &&
    isCount(value["sequence"]) &&
    isCaller(value["by"]) &&
    [value["before"], value["after"]].every((count) => isCount(count) && count <= mostEvents)
  )
    return value as unknown as LogContext;
  throw unreadable("look around an event");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readLogTail(value: unknown): LogTail {
  if (isScope(value) && isText(value["query"], longestQuery) && isCaller(value["reader"])) return value as unknown as LogTail;
  throw unreadable("tail");
}

/** @throws {DroverError} REQUEST_INVALID */
export function readTailMasks(value: unknown): TailMasks {
  if (isRecord(value) && isText(value["reader"], longestPrefix) && isRecord(value["masks"]) && isMasks(value["masks"]))
    return value as unknown as TailMasks;
  throw unreadable("change of a tail");
}

function isCaller(value: unknown): boolean {
  return value === undefined || isText(value, longestPrefix);
}

export function isScope(value: unknown): value is Readonly<Record<string, unknown>> & LogScope {
  const isPrefix = (one: unknown): one is string => isText(one, longestPrefix);
  return (
    isRecord(value) &&
    isListOf(value["of"], isPrefix) &&
    isListOf(value["except"], isPrefix) &&
    isKinds(value["kinds"]) &&
    isMasks(value["masks"])
  );
}

function isRange(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    isScope(value) &&
    isText(value["query"], longestQuery) &&
    isCaller(value["by"]) &&
    [value["sinceMs"], value["untilMs"]].every((moment) => moment === null || isNumber(moment))
  );
}

function isKeyOrNull(value: unknown): value is LogKey | null {
  if (value === null) return true;
  return isRecord(value) && isNumber(value["atMs"]) && isText(value["instance"], longestPrefix) && isCount(value["sequence"]);
}

export function unreadable(what: string): DroverError {
  return new DroverError("REQUEST_INVALID", `the body is no ${what} of logs that this agent understands`, {
    hint: "The two programs are of different versions.",
  });
}
