import type { Readable } from "node:stream";
import type { NoticeLevel } from "#model/log-level.ts";
import type { InstanceId } from "#model/names.ts";
import type { LogLine, LogQuery } from "#model/workload.ts";

/** What the engine needs of whoever keeps the output of instances. */
export interface OutputStore {
  /** Reads until the source ends; `ended` resolves once its last line is taken. */
  attach(instance: InstanceId, source: Readable): { readonly ended: Promise<void>; detach(): Promise<void> };
  /** Takes what was written to `file` while nobody read the instance; `droppedBytes` did not fit there. */
  attachSpill(instance: InstanceId, file: string, droppedBytes: number, signal: AbortSignal): Promise<void>;
  /** Adds a line of Drover's own, in place. */
  notice(instance: InstanceId, text: string, level: NoticeLevel): Promise<void>;
  query(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
}
