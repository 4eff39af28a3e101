import type { KeptLogsView } from "#model/api-logs.ts";
import { formatDuration, formatSize } from "#model/quantities.ts";
import { apiPath } from "../api/client.ts";
import type { Session } from "../command.ts";
import { table } from "../output/table.ts";
import { dateTime } from "../output/time.ts";

/** How much of each space's logs each machine keeps, and since when. */
export async function printKept({ api, out, signal }: Session, space: string | undefined): Promise<number> {
  const kept = await api.call<KeptLogsView>("GET", apiPath(["logs", "kept"], { space }), signal);
  if (out.json) {
    out.value(kept);
    return 0;
  }
  const appBytes = new Map(kept.machines.map((machine) => [machine.machine, machine.appBytes]));
  const most = ({ machine, mostBytes }: KeptLogsView["spaces"][number]) => {
    const each = appBytes.get(machine);
    return mostBytes !== null ? formatSize(mostBytes) : each === undefined ? "-" : `${formatSize(each)} an app`;
  };
  const rows = kept.spaces.map((one) => [
    one.space,
    one.machine,
    one.sinceMs === null ? "-" : dateTime(one.sinceMs),
    String(one.lines),
    formatSize(one.bytes),
    formatDuration(one.ageMs),
    most(one),
  ]);
  if (rows.length === 0) out.note("no lines are kept yet");
  else for (const line of table(["SPACE", "MACHINE", "SINCE", "LINES", "SIZE", "KEEPS", "AT MOST"], rows, out.columns)) out.line(line);
  for (const { machine, bytes, mostBytes } of kept.machines)
    out.note(`machine "${machine}" keeps ${formatSize(bytes)} of all spaces, at most ${formatSize(mostBytes)}`);
  for (const { machine, why } of kept.silent) out.note(`machine "${machine}" could not be asked: ${why}`);
  return 0;
}
