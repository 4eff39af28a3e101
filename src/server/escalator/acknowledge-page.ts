import { createHash } from "node:crypto";
import type { EscalationView } from "#model/api-escalations.ts";
import { printable } from "./report.ts";

/** What a link in a message shows: read on a phone, at night, by somebody who was just woken. No script, and nothing from elsewhere. */

const style =
  "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}" +
  "h1{font-size:1.4rem}code{font-size:.95em;overflow-wrap:anywhere}li{margin:.4rem 0}" +
  "button{font:inherit;font-weight:600;padding:.8rem 1.4rem;cursor:pointer}";

/** Nothing is loaded, nothing runs, nobody frames it, and its one form leads back to this server. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;

/** What failed and what was done, with the button that takes note. Asking for it changes nothing: programs that scan mails follow every link. */
export function askPage(run: EscalationView, space: string): string {
  return page(`${run.target} needs a person`, [
    `<p>Space <code>${escapeHtml(space)}</code>, since ${time(run.openedAtMs)}: ${escapeHtml(run.outcome?.reason ?? "")}.</p>`,
    "<h2>What failed</h2>",
    list(
      run.failed.map(({ check, sinceMs, message }) => `<code>${escapeHtml(check)}</code> since ${time(sinceMs)}: ${escapeHtml(message)}`),
    ),
    "<h2>What was done</h2>",
    run.steps.length === 0 ? "<p>Nothing.</p>" : list(run.steps.map(stepOf)),
    "<h2>Take note</h2>",
    `<p>Nothing acts on <code>${escapeHtml(run.target)}</code> until somebody takes note. From then on, whatever still fails is acted on again.</p>`,
    '<form method="post"><button type="submit">I have seen it: act again</button></form>',
    `<p>More: <code>drover escalation show ${escapeHtml(run.id)} --report</code></p>`,
  ]);
}

export function donePage(id: string): string {
  return page("Noted", [
    `<p><code>${escapeHtml(id)}</code> is acknowledged: what still fails is acted on again.</p>`,
    `<p>See what comes of it: <code>drover escalation watch</code></p>`,
  ]);
}

export function endedPage(): string {
  return page("This link has ended", [
    "<p>Somebody has taken note already, it was sent more than seven days ago, or it was not copied as a whole.</p>",
    "<p>What needs a person now: <code>drover escalation ls</code></p>",
  ]);
}

function stepOf({ level, target, attempt, action, ended, verdict }: EscalationView["steps"][number]): string {
  const word = action === null ? "left alone" : action.kind === "built-in" ? action.name : "its command";
  const end = verdict === null ? (ended?.result ?? "under way") : `${verdict.kind}: ${verdict.reason}`;
  return `<code>${escapeHtml(level)}</code> on <code>${escapeHtml(target)}</code>, attempt ${attempt}: ${escapeHtml(word)}, ${escapeHtml(end)}`;
}

function page(title: string, parts: readonly string[]): string {
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<meta name="robots" content="noindex"><title>${escapeHtml(title)}</title><style>${style}</style></head>` +
    `<body><h1>${escapeHtml(title)}</h1>${parts.join("")}</body></html>`
  );
}

function list(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li>${item}</li>`).join("")}</ul>`;
}

function time(atMs: number): string {
  return new Date(atMs)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, " UTC");
}

function escapeHtml(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
