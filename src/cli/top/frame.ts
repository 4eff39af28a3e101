import { formatSize } from "#model/quantities.ts";
import { healthWord } from "../output/app-line.ts";
import { escapeText, styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { clockTime, count } from "../output/time.ts";
import type { AppRow, MachineRow, Overview } from "./overview.ts";

/** By what the apps are ordered, and the key that asks for it. */
export const orders = {
  c: { name: "processor", value: ({ cpu }: AppRow) => cpu ?? 0 },
  m: { name: "memory", value: ({ memory }: AppRow) => memory },
  r: { name: "requests", value: ({ requests }: AppRow) => requests ?? 0 },
  e: { name: "errors", value: ({ errors }: AppRow) => errors ?? 0 },
  n: { name: "name", value: () => 0 },
} as const;

export type OrderKey = keyof typeof orders;

export function isOrder(key: string): key is OrderKey {
  return key in orders;
}

export interface FrameOptions {
  readonly order: OrderKey;
  readonly columns: number | null;
  /** Lines that there is room for; null: any number. */
  readonly rows: number | null;
  /** When the figures were taken. */
  readonly nowMs: number;
  /** Why they are not newer; null when they are as new as they can be. */
  readonly trouble: string | null;
}

/** More problems than this would leave no room for anything else; `drover status` has them all. */
const problemsShown = 3;

/** The overview as lines of a terminal. What has no room is counted in the last one. */
export function drawOverview(
  { machines, apps, problems }: Overview,
  { order, columns, rows, nowMs, trouble }: FrameOptions,
): readonly string[] {
  const isBad = ({ health }: AppRow) => health === "down" || health === "degraded";
  const bad = apps.filter(isBad).length;
  const verdict =
    bad + problems.length === 0 ? styled("green", "all is well") : styled("red", `${count(bad + problems.length, "thing")} to look at`);
  const head = [
    `${styled("bold", "drover")}  ${verdict}  ${count(apps.length, "app")}, ${count(machines.length, "machine")}  ${clockTime(nowMs).slice(0, 8)}  by ${orders[order].name}`,
    ...(trouble === null ? [] : [`${styled("yellow", "as it was then")}  ${escapeText(trouble)}`]),
    ...problems.slice(0, problemsShown).map((problem) => `${styled("red", "problem")}  ${escapeText(problem)}`),
    ...(problems.length > problemsShown ? [`         and ${problems.length - problemsShown} more: drover status`] : []),
    "",
    ...table(["MACHINE", "CPU", "OF", "LOAD", "MEMORY", "OF", "DISK FREE", "INSTANCES", ""], machines.map(machineCells), columns),
    "",
  ];
  // What is bad is never below the edge of the screen.
  const sorted = apps.toSorted(
    (a, b) => Number(isBad(b)) - Number(isBad(a)) || orders[order].value(b) - orders[order].value(a) || (a.name < b.name ? -1 : 1),
  );
  const lines = table(["APP", "HEALTH", "READY", "CPU", "MEMORY", "REQUESTS/S", "ERRORS/S"], sorted.map(appCells), columns);
  const room = rows === null ? Number.POSITIVE_INFINITY : Math.max(2, rows - head.length);
  if (lines.length <= room) return [...head, ...lines];
  return [...head, ...lines.slice(0, room - 1), styled("dim", `${count(lines.length - room + 1, "more app")}`)];
}

function machineCells({ name, linked, instances, silence, use }: MachineRow): readonly string[] {
  const why = linked && silence !== null ? silence : "its agent does not answer";
  if (use === null) return [name, "-", "-", "-", "-", "-", "-", String(instances), styled("yellow", why)];
  return [
    name,
    percent(use.cpu),
    count(use.cores, "core"),
    use.load1.toFixed(2),
    formatSize(use.memoryUsed),
    formatSize(use.memoryTotal),
    formatSize(use.diskFree),
    String(instances),
    "",
  ];
}

function appCells({ name, health, ready, wanted, cpu, memory, requests, errors }: AppRow): readonly string[] {
  return [
    name,
    healthWord(health),
    `${ready}/${wanted}`,
    percent(cpu),
    memory === 0 ? "-" : formatSize(memory),
    requests === null ? "-" : requests.toFixed(1),
    errors === null ? "-" : errors === 0 ? "0" : styled("red", errors.toFixed(1)),
  ];
}

/** As other such programs count: a whole core is 100 %. */
function percent(share: number | null): string {
  return share === null ? "-" : `${(share * 100).toFixed(1)} %`;
}
