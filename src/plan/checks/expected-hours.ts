import type { Check, Weekday, WeeklyHours } from "#model/check.ts";
import type { WeeklyHoursManifest } from "#model/check-schemas.ts";

const minuteMs = 60_000;
const dayMs = 86_400_000;
const weekdays: readonly Weekday[] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** Local time as if it were UTC, in epoch milliseconds: what a clock on the wall in `zone` shows. */
type WallClock = (atMs: number) => number;

/** A clock for an IANA zone. @throws {RangeError} for a zone that the runtime does not know. */
function wallClock(zone: string): WallClock {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  return (atMs) => {
    const name = format.formatToParts(atMs).find(({ type }) => type === "timeZoneName")?.value ?? "";
    const match = /^GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(name);
    const offsetMs = (Number(match?.[2] ?? 0) * 60 + Number(match?.[3] ?? 0)) * minuteMs;
    return atMs + (match?.[1] === "-" ? -offsetMs : offsetMs);
  };
}

/** Hours as the manifest has them. */
export function hoursOf({ days, from, until, zone }: WeeklyHoursManifest): WeeklyHours {
  return { days, fromMinute: from, untilMinute: until, zone };
}

/** Whether a clock on the wall shows a time within the hours. A window that ends before it begins belongs to the day on which it begins. */
function isOpenAt(hours: WeeklyHours, wallMs: number): boolean {
  const day = Math.floor(wallMs / dayMs);
  const minute = (wallMs - day * dayMs) / minuteMs;
  // 1 January 1970 was a Thursday.
  const isDay = (which: number) => hours.days.includes(weekdays[(((which + 4) % 7) + 7) % 7] as Weekday);
  if (hours.fromMinute < hours.untilMinute) return isDay(day) && minute >= hours.fromMinute && minute < hours.untilMinute;
  return (isDay(day) && minute >= hours.fromMinute) || (isDay(day - 1) && minute < hours.untilMinute);
}

/**
 * Whether it is within the hours, and until when that stays so; null for ever. By the wall clock of the zone: on the days on which clocks are
 * changed a window is an hour shorter or longer, or begins at the moment to which the clocks jump.
 */
export function hoursAt(hours: WeeklyHours, nowMs: number): { readonly isOpen: boolean; readonly untilMs: number | null } {
  const wall = wallClock(hours.zone);
  const isOpen = (atMs: number) => isOpenAt(hours, wall(atMs));
  const now = isOpen(nowMs);
  // Nine days hold every weekday, and the rest of today. Between two changes of the clocks wall time runs evenly, so only these moments matter.
  const jumps = jumpsOf(wall, nowMs, nowMs + 9 * dayMs);
  const pieces = [nowMs, ...jumps, nowMs + 9 * dayMs];
  for (const [i, fromMs] of pieces.entries()) {
    if (i > 0 && isOpen(fromMs) !== now) return { isOpen: now, untilMs: fromMs };
    const toMs = pieces[i + 1];
    if (toMs === undefined) break;
    const offsetMs = wall(fromMs) - fromMs;
    for (let day = Math.floor((fromMs + offsetMs) / dayMs); day * dayMs <= toMs + offsetMs; day++) {
      for (const minute of [hours.fromMinute, hours.untilMinute].sort((a, b) => a - b)) {
        const atMs = day * dayMs + minute * minuteMs - offsetMs;
        if (atMs > fromMs && atMs < toMs && isOpen(atMs) !== now) return { isOpen: now, untilMs: atMs };
      }
    }
  }
  return { isOpen: now, untilMs: null };
}

/** When the clocks are changed between two moments. */
function jumpsOf(wall: WallClock, fromMs: number, untilMs: number): readonly number[] {
  const offset = (atMs: number) => wall(atMs) - atMs;
  const jumps: number[] = [];
  // No zone changes its clocks twice within six hours.
  for (let stepMs = fromMs; stepMs < untilMs; stepMs += dayMs / 4) {
    let [low, high] = [stepMs, Math.min(untilMs, stepMs + dayMs / 4)];
    const before = offset(low);
    if (offset(high) === before) continue;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offset(middle) === before) low = middle;
      else high = middle;
    }
    jumps.push(high);
  }
  return jumps;
}

/** Names of checks that are watched and ask for nothing now: outside of their expected hours, or in maintenance; and until when that is so. */
export function silentChecks(
  checks: readonly Check[],
  nowMs: number,
): { readonly checks: ReadonlySet<string>; readonly untilMs: number | null } {
  const known = new Map<string, ReturnType<typeof hoursAt>>();
  const look = (hours: WeeklyHours) => {
    const key = `${hours.days.join()} ${hours.fromMinute} ${hours.untilMinute} ${hours.zone}`;
    const found = known.get(key) ?? hoursAt(hours, nowMs);
    known.set(key, found);
    return found;
  };
  const silent = new Set<string>();
  const once: number[] = [];
  for (const { name, expected, maintenance } of checks) {
    if (expected !== null && !look(expected).isOpen) silent.add(name);
    for (const window of maintenance) {
      if (window.kind === "once") once.push(window.fromMs, window.untilMs);
      const isOpen = window.kind === "weekly" ? look(window.hours).isOpen : window.fromMs <= nowMs && nowMs < window.untilMs;
      if (isOpen) silent.add(name);
    }
  }
  const later = [...once, ...[...known.values()].flatMap(({ untilMs }) => untilMs ?? [])].filter((atMs) => atMs > nowMs);
  return { checks: silent, untilMs: later.length === 0 ? null : Math.min(...later) };
}
