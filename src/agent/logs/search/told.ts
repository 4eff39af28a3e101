import type { LogEvent } from "#model/log-event.ts";
import { statedTimeOf } from "#model/log-fields.ts";
import type { MachineId } from "#model/names.ts";
import { sourceOf } from "../frame.ts";
import type { ReadEvent } from "./match-event.ts";

/** An event as it is told to others. */
export function told(event: ReadEvent, machine: MachineId): LogEvent {
  const { instance, atMs, sequence, lines, notice } = event.raw;
  const { text, level, fields } = event;
  return {
    machine,
    instance,
    atMs,
    sequence,
    lines,
    text,
    source: sourceOf(notice),
    level,
    statedAtMs: statedTimeOf(text, fields),
    fields,
  };
}
