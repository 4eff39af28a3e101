import { dateTime, timeOfDay } from "./format.ts";

/** Date and time; where there is little room, the time alone. */
export function Moment({ atMs }: { readonly atMs: number }) {
  return (
    <>
      <span class="minor">{dateTime(atMs).slice(0, 10)} </span>
      {timeOfDay(atMs)}
    </>
  );
}
