const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** A year: no wait in an operations tool is meant to be longer, and it keeps timers and sums within safe integers. */
const longestMs = 366 * 86_400_000;

function quantity(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)([A-Za-z]{1,3})$/.exec(text);
  const factor = match?.[2] === undefined ? undefined : Object.hasOwn(units, match[2]) ? units[match[2]] : undefined;
  return match === null || factor === undefined ? null : Math.round(Number(match[1]) * factor);
}

/** `30s` → 30000. Null when it is no duration: a number, then one of ms s m h d, at most a year. */
export function parseDurationMs(text: string): number | null {
  const ms = quantity(text, durationUnits);
  return ms === null || ms > longestMs ? null : ms;
}

/** `256MiB` → 268435456. Null when it is no size: a number, then one of B kB MB GB TB KiB MiB GiB TiB. */
export function parseSizeBytes(text: string): number | null {
  const bytes = quantity(text, sizeUnits);
  return bytes === null || !Number.isSafeInteger(bytes) ? null : bytes;
}

/** `25%` → 0.25. Null when it is not a share from 0% to 100%. */
export function parseShare(text: string): number | null {
  const match = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text);
  const percent = match === null ? Number.NaN : Number(match[1]);
  return percent <= 100 ? percent / 100 : null;
}

/** The shortest exact writing: 90000 → `90s`, 120000 → `2m`. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const factor = durationUnits[unit] as number;
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

/** How long something took: 0.84 s, 12.3 s, 2 min 5 s, 3 h 20 min, 12 d 4 h. */
export function took(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(2)} s`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** One decimal at most, binary units: 268435456 → `256MiB`. */
export function formatSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(1))}${units[unit]}`;
}

/** `100/s` → 100 requests for each 1000 ms. Null when it is no rate: a whole number from 1 to a million, then /s, /m or /h. */
export function parseRate(text: string): { readonly requests: number; readonly perMs: number } | null {
  const match = /^([1-9]\d{0,5}|1000000)\/([smh])$/.exec(text);
  const perMs = match?.[2] === undefined ? undefined : durationUnits[match[2]];
  return match === null || perMs === undefined ? null : { requests: Number(match[1]), perMs };
}
