import type { InstanceId } from "#model/names.ts";
import { isCount, isListOf, isNumber, isRecord, isText } from "#model/shape.ts";
import type { LogFrame } from "./frame.ts";

/** Which lines of one instance a segment holds. */
interface Span {
  readonly first: number;
  /** After the last. */
  readonly next: number;
}

/** What a segment holds, so that a search can pass it over without reading it. */
export interface SegmentSummary {
  /** Of its frames, whatever room they take on the disk. */
  readonly bytes: number;
  readonly lines: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly instances: ReadonlyMap<InstanceId, Span>;
}

export const emptySummary: SegmentSummary = { bytes: 0, lines: 0, firstAtMs: 0, lastAtMs: 0, instances: new Map() };

/** The summary after `frames`, which take `bytes` in the file, were appended. */
export function addToSummary(summary: SegmentSummary, frames: readonly LogFrame[], bytes: number): SegmentSummary {
  const instances = new Map(summary.instances);
  let { lines, firstAtMs, lastAtMs } = summary;
  for (const frame of frames) {
    const next = frame.sequence + frame.lines;
    instances.set(frame.instance, { first: instances.get(frame.instance)?.first ?? frame.sequence, next });
    firstAtMs = lines === 0 ? frame.atMs : Math.min(firstAtMs, frame.atMs);
    lastAtMs = Math.max(lastAtMs, frame.atMs);
    lines += frame.lines;
  }
  return { bytes: summary.bytes + bytes, lines, firstAtMs, lastAtMs, instances };
}

/** A stored summary: instances as `[id, first, next]`. */
export type StoredSummary = Omit<SegmentSummary, "instances"> & { readonly instances: readonly (readonly [InstanceId, number, number])[] };

export function storedForm(summary: SegmentSummary): StoredSummary {
  return { ...summary, instances: [...summary.instances].map(([instance, { first, next }]) => [instance, first, next]) };
}

export function summaryOf({ bytes, lines, firstAtMs, lastAtMs, instances }: StoredSummary): SegmentSummary {
  return { bytes, lines, firstAtMs, lastAtMs, instances: new Map(instances.map(([id, first, next]) => [id, { first, next }])) };
}

export function isStoredSummary(value: unknown): value is StoredSummary {
  if (!isRecord(value) || !isListOf(value["instances"], isStoredInstance)) return false;
  return isCount(value["bytes"]) && isCount(value["lines"]) && isNumber(value["firstAtMs"]) && isNumber(value["lastAtMs"]);
}

function isStoredInstance(value: unknown): value is readonly [InstanceId, number, number] {
  return Array.isArray(value) && value.length === 3 && isText(value[0]) && isCount(value[1]) && isCount(value[2]);
}
