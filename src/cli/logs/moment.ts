import { DroverError } from "#model/errors.ts";
import { durationMs } from "../arguments.ts";

/** `10m` ago, `14:30` of today, or a date with or without a time, local unless it has a zone. Epoch milliseconds. @throws {DroverError} USAGE */
export function moment(text: string, what: string, nowMs: number): number {
  if (/^[\d.]+[a-z]+$/.test(text)) return nowMs - durationMs(text, what);
  const [, hours, minutes, seconds = "0"] = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  const at =
    hours === undefined
      ? // A date alone is taken for UTC by JavaScript, and for local by people.
        Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text.replace(" ", "T"))
      : new Date(nowMs).setHours(Number(hours), Number(minutes), Number(seconds), 0);
  if (!Number.isNaN(at) && at >= 0) return at;
  throw new DroverError("USAGE", `${what} is "${text}"`, {
    hint: "Give how long ago, such as 30s, 10m, 2h or 1d, a time such as 14:30, or a date such as 2026-05-01T14:30.",
  });
}
