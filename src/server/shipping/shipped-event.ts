import type { LogEvent } from "#model/log-event.ts";
import { shortInstanceId } from "#model/names.ts";

/** An event as receivers get it, with what its place is called taken apart. */
export interface ShippedEvent
  extends Pick<LogEvent, "machine" | "atMs" | "statedAtMs" | "level" | "source" | "text" | "lines" | "fields" | "sequence"> {
  /** The same whenever it is sent again, and no other event's: a number alone may come twice after a power cut. */
  readonly id: string;
  readonly space: string;
  readonly app: string;
  /** Such as web.7.k3f9b. */
  readonly instance: string;
  /** Null for a program that is no app's. */
  readonly process: string | null;
  readonly release: string | null;
}

export function shippedEvent(event: LogEvent): ShippedEvent {
  const { machine, instance, atMs, sequence, lines, text, source, level, statedAtMs, fields } = event;
  const [space = "", app = ""] = instance.split("/");
  const short = shortInstanceId(instance);
  const [process = null, release = null] = short.split(".");
  const id = `${machine}/${instance}/${sequence}/${atMs.toString(36)}`;
  return { id, machine, space, app, instance: short, process, release, atMs, sequence, lines, text, source, level, statedAtMs, fields };
}
