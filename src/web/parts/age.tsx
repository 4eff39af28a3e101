import { nowMs } from "../state/clock.ts";
import { age, dateTime } from "./format.ts";

/** How long ago, growing; the moment itself when it is pointed at. */
export function Age({ atMs }: { readonly atMs: number | null }) {
  if (atMs === null) return <span>–</span>;
  return (
    <time dateTime={new Date(atMs).toISOString()} title={dateTime(atMs)}>
      {age(atMs, nowMs.value)}
    </time>
  );
}
