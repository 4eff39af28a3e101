import type { LogContextView, LogEventView, LogHistogram, LogPage, LogTailItem } from "#model/api-logs.ts";
import { shortInstanceId } from "#model/names.ts";
import { apiPath } from "../api/client.ts";
import type { Session } from "../command.ts";
import { requireKnownApp } from "../known-app.ts";
import { styled } from "../output/style.ts";
import { count, dateTime } from "../output/time.ts";
import { logLine } from "./log-line.ts";

/** What is looked for, and where. */
export interface Search {
  readonly where: {
    readonly space: string | undefined;
    readonly app: string | undefined;
    readonly process: string | undefined;
    readonly of: string | undefined;
    readonly own: boolean | undefined;
  };
  readonly q: string;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

/** Of the API. */
const mostAPage = 1_000;
/** Hits that are shown with what stands around them: each takes a request. */
const mostHits = 10;
const buckets = 24;
const defaultSinceMs = 3_600_000;
const barWidth = 40;

/** The newest events that match, oldest first. */
export async function printEvents(session: Session, search: Search, lines: number): Promise<void> {
  const { out } = session;
  const events = await newest(session, search, lines);
  if (events.length === 0) await requireApp(session, search);
  for (const event of events.reverse()) {
    if (out.json) out.streamed(event);
    else printEvent(session, search, event);
  }
  if (events.length === 0) out.note("nothing matches");
}

/** Each of the newest hits with what its instance said around it. */
export async function printContext(session: Session, search: Search, lines: number, around: number): Promise<number> {
  const { api, out, signal } = session;
  const hits = await newest(session, search, Math.min(lines, mostHits));
  if (hits.length === 0) await requireApp(session, search);
  for (const [index, hit] of hits.reverse().entries()) {
    const query = { instance: hit.instance, sequence: hit.sequence, before: around, after: around };
    const { events, ...coverage } = await api.call<LogContextView>("GET", apiPath(["logs", "context"], query), signal);
    if (out.json) {
      out.streamed({ hit, events });
      continue;
    }
    sayCoverage(session, coverage);
    if (index > 0) out.line(styled("dim", "--"));
    for (const event of events) printEvent(session, search, event, event.sequence === hit.sequence ? ">" : " ");
  }
  if (hits.length === 0) out.note("nothing matches");
  return 0;
}

/** How many events match, a line for each stretch of time. */
export async function printHistogram(session: Session, search: Search): Promise<number> {
  const { where, q, sinceMs, untilMs } = search;
  const { api, out, signal, clock } = session;
  const end = untilMs ?? clock.nowMs();
  const query = { ...where, q, sinceMs: sinceMs ?? end - defaultSinceMs, untilMs: end, buckets };
  const histogram = await api.call<LogHistogram>("GET", apiPath(["logs", "histogram"], query), signal);
  if (histogram.buckets.every((levels) => levels.every((events) => events === 0))) await requireApp(session, search);
  if (out.json) {
    out.value(histogram);
    return 0;
  }
  const sums = histogram.buckets.map((levels) => levels.reduce((sum, events) => sum + events, 0));
  const most = Math.max(1, ...sums);
  const bad = new Set(histogram.levels.flatMap((level, index) => (level === "error" || level === "fatal" ? [index] : [])));
  for (const [index, sum] of sums.entries()) {
    const errors = (histogram.buckets[index] ?? []).reduce((total, events, level) => total + (bad.has(level) ? events : 0), 0);
    const bar = "▇".repeat(Math.ceil((barWidth * sum) / most));
    const at = dateTime(histogram.sinceMs + index * histogram.bucketMs);
    out.line(`${styled("dim", at)} ${String(sum).padStart(9)} ${bar}${errors > 0 ? styled("red", `  ${count(errors, "error")}`) : ""}`);
  }
  sayCoverage(session, histogram);
  if (histogram.searchedToMs !== null) out.note(`counted back to ${dateTime(histogram.searchedToMs)} alone: ask for a shorter time`);
  return 0;
}

/** Events as they come, until Ctrl-C. */
export async function followEvents(session: Session, search: Search): Promise<void> {
  const { api, out, signal } = session;
  const path = apiPath(["logs", "tail"], { ...search.where, q: search.q });
  for await (const item of api.stream<LogTailItem>("GET", path, signal)) {
    if (out.json) out.streamed(item.kind === "event" ? item.event : item);
    else if (item.kind === "event") printEvent(session, search, item.event);
    else if (item.kind === "silent") out.note(`machine "${item.machine}" is not heard: ${item.why}`);
    else out.note(`machine "${item.machine}" is heard again`);
  }
}

/** Newest first. */
async function newest(session: Session, { where, q, sinceMs, untilMs }: Search, wanted: number): Promise<LogEventView[]> {
  const { api, out, signal, progress } = session;
  const found: LogEventView[] = [];
  let cursor: string | undefined;
  for (let isFirst = true; found.length < wanted; isFirst = false) {
    const query = { ...where, q, sinceMs, untilMs, limit: Math.min(mostAPage, wanted - found.length), cursor };
    const page = await api.call<LogPage>("GET", apiPath(["logs", "events"], query), signal);
    if (isFirst && !out.json) sayCoverage(session, page);
    found.push(...page.events);
    if (page.next === null) break;
    cursor = page.next;
    if (page.searchedToMs !== null) progress.show([`searched back to ${dateTime(page.searchedToMs)}`]);
  }
  progress.clear();
  return found;
}

/** The build of an app that never came to be has lines all the same. */
async function requireApp(session: Session, { where: { space, app, of } }: Search): Promise<void> {
  if (of !== "build") await requireKnownApp(session, space, app);
}

function sayCoverage({ out }: Session, { silent, damaged }: Pick<LogPage, "silent" | "damaged">): void {
  for (const { machine, why } of silent) out.note(`machine "${machine}" could not be asked: ${why}`);
  for (const file of damaged) out.note(`a damaged segment was passed over: ${file}`);
}

function printEvent({ out }: Session, { where }: Search, event: LogEventView, mark = ""): void {
  const name = where.app === undefined ? event.instance : shortInstanceId(event.instance);
  const [first = "", ...rest] = event.text.split("\n");
  const isBad = event.level === "error" || event.level === "fatal";
  const line = logLine({ ...event, text: isBad ? styled("red", first) : first }, name);
  out.line(mark === "" ? line : `${mark} ${line}`);
  for (const text of rest) out.line(`${mark === "" ? "" : "  "}    ${text}`);
}
