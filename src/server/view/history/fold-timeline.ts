import { type Lane, lanes, type TimelineSpan, type TimelineView } from "#model/api-history.ts";
import type { DroverEvent } from "#model/app.ts";
import { type EventRule, ruleOf } from "./event-rules.ts";

/**
 * Lays events side by side: what began and ended becomes a span, what happened a moment. Pure.
 *
 * What people did is in the lane of what it was about and once more in theirs. A beginning of what has begun already is part of it; an end of what
 * nothing is known to have begun becomes a span without a start, where the beginning may be in older events, and a moment otherwise.
 * @param events in their order
 */
export function foldTimeline(events: readonly DroverEvent[], wanted: ReadonlySet<Lane>): TimelineView["lanes"] {
  const spans: TimelineSpan[] = [];
  const open = new Map<string, TimelineSpan>();
  for (const event of events) {
    const rule = ruleOf(event);
    if (rule !== null) fold(event, rule, open, spans);
    if (event.by !== null) spans.push(moment(event, "people", `event ${event.sequence}`, "ok", rule?.link(event) ?? null));
  }
  const byLane = Map.groupBy(spans, ({ lane }) => lane);
  return lanes.filter((lane) => wanted.has(lane)).map((lane) => ({ lane, spans: byLane.get(lane) ?? [] }));
}

function fold(event: DroverEvent, rule: EventRule, open: Map<string, TimelineSpan>, spans: TimelineSpan[]): void {
  const key = `${rule.lane} ${event.space ?? ""}/${event.app ?? ""} ${rule.about(event)}`;
  // A change of an app that made no release is no deploy.
  if (rule.lane === "deploys" && event.subject === null) return;
  const begun = open.get(key);
  switch (rule.does) {
    case "begins":
      if (begun !== undefined) goOn(begun, event);
      else {
        const span = begin(event, rule, key);
        open.set(key, span);
        spans.push(span);
      }
      break;
    case "goes on":
      if (begun !== undefined) goOn(begun, event);
      break;
    case "ends":
      if (begun !== undefined) {
        goOn(begun, event);
        begun.endMs = event.atMs;
        begun.outcome = rule.outcome ?? "ok";
        open.delete(key);
      } else if (startsBefore(event))
        spans.push({ ...moment(event, rule.lane, key, rule.outcome ?? "ok", rule.link(event)), startMs: startOf(event) });
      break;
    case "happens":
      spans.push(moment(event, rule.lane, key, rule.outcome ?? "ok", rule.link(event)));
      break;
    default:
      rule.does satisfies never;
  }
}

function begin(event: DroverEvent, rule: EventRule, key: string): TimelineSpan {
  return { ...moment(event, rule.lane, key, "open", rule.link(event)), endMs: null };
}

function goOn(span: TimelineSpan, { message, sequence, by }: DroverEvent): void {
  span.message = message;
  span.lastEvent = sequence;
  span.by ??= by;
}

function moment(event: DroverEvent, lane: Lane, key: string, outcome: TimelineSpan["outcome"], link: TimelineSpan["link"]): TimelineSpan {
  const { space, app, subject, message, atMs, by, sequence } = event;
  return {
    key,
    lane,
    space,
    app,
    subject,
    title: message,
    message,
    startMs: atMs,
    endMs: atMs,
    outcome,
    by,
    link,
    firstEvent: sequence,
    lastEvent: sequence,
  };
}

/** An agent that links for the first time, or an app that is well for the first time, ends nothing. */
function startsBefore({ kind, details }: DroverEvent): boolean {
  if (kind === "app.well" || kind === "app.idle") return startIn(details) !== null;
  return kind !== "agent.linked" && kind !== "edge.linked" && !kind.startsWith("certificate.") && kind !== "machine.removed";
}

function startOf({ details }: DroverEvent): number | null {
  return startIn(details);
}

function startIn(details: unknown): number | null {
  const sinceMs = (details as { readonly sinceMs?: unknown } | null)?.sinceMs;
  return typeof sinceMs === "number" ? sinceMs : null;
}
