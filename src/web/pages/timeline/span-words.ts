import type { TimelineSpan } from "#model/api-history.ts";
import { dateTime, exactSpan } from "../../parts/format.ts";
import { visibleText } from "../../parts/visible-text.ts";
import { appPath, escalatorPath, machinePath } from "../../state/location.ts";

export const outcomeTones = { open: "busy", ok: "good", failed: "bad", replaced: "off", stopped: "warn" } as const;
export const outcomeWords = { open: "goes on", ok: "ok", failed: "failed", replaced: "replaced", stopped: "stopped" } as const;

export function isMoment({ startMs, endMs }: TimelineSpan): boolean {
  return startMs !== null && startMs === endMs;
}

/** What began and how it ended, as one line of text that came from outside. */
export function whatText({ title, message }: TimelineSpan): string {
  return visibleText(title === message ? title : `${title} → ${message}`);
}

/** How long it took; null for a moment and for what is not known from its beginning to its end. */
export function tookText({ startMs, endMs }: TimelineSpan): string | null {
  if (startMs === null || endMs === null || startMs === endMs) return null;
  const ms = endMs - startMs;
  return ms < 10_000 ? `${(ms / 1_000).toFixed(1)}s` : exactSpan(Math.round(ms / 1_000) * 1_000);
}

/** All of it, for who points at it. */
export function spanText(span: TimelineSpan): string {
  const about = span.app === null ? span.space : `${span.space}/${span.app}`;
  return [
    `${span.startMs === null ? "earlier" : dateTime(span.startMs)}${about === null ? "" : `  ${about}`}`,
    whatText(span),
    [outcomeWords[span.outcome], tookText(span), span.by === null ? null : `by ${visibleText(span.by)}`]
      .filter((word) => word !== null)
      .join(", "),
  ].join("\n");
}

/** The page about it; null: there is none. */
export function pageOf({ link, space, app }: TimelineSpan): string | null {
  if (link === null) return null;
  if (link.kind === "machine") return machinePath(link.name);
  if (space === null) return null;
  if (link.kind === "escalation") return escalatorPath(space, `runs/${encodeURIComponent(link.name)}`);
  if (link.kind === "check") return escalatorPath(space, "checks");
  if (app === null) return null;
  return appPath({ space, app }, link.kind === "release" ? "releases" : "");
}
