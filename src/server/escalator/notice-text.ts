import type { Notice } from "#model/ladder.ts";
import { massFailureNotice } from "#model/ladder.ts";
import type { SpaceName } from "#model/names.ts";

/** Notices that a summary spells out. */
export const mostSpelled = 10;

/** A notice with the link that takes note of it; null: there is nothing to take note of. */
export interface ToldNotice {
  readonly notice: Notice;
  readonly link: string | null;
}

/** What whoever reads it can do; empty where there is nothing but to wait. */
function nextOf(space: SpaceName, { key }: Notice): string {
  // Keys are `people:ID` and `approval:ID:LEVEL`; a level has no colon in its name.
  const asked = /^approval:(.+):[^:]+$/.exec(key)?.[1];
  if (asked !== undefined) return `drover escalation approve ${asked} --space ${space} (or refuse)`;
  if (key === massFailureNotice) return `look at them, then drover escalation acknowledge ${massFailureNotice} --space ${space}`;
  return key.startsWith("people:") ? `drover escalation show ${key.slice("people:".length)} --space ${space}` : "";
}

function withNext(space: SpaceName, notice: Notice): string {
  const next = nextOf(space, notice);
  return next === "" ? notice.text : `${notice.text}. Next: ${next}`;
}

/** One notice in its own words; several as a summary. */
export function textOf(space: SpaceName, notices: readonly Notice[]): string {
  const [first] = notices;
  if (first !== undefined && notices.length === 1) return `[${space}] ${withNext(space, first)}`;
  const more = notices.length - mostSpelled;
  return [
    `[${space}] ${notices.length} notices:`,
    ...notices.slice(0, mostSpelled).map((notice) => `- ${withNext(space, notice)}`),
    ...(more > 0 ? [`- and ${more} more`] : []),
  ].join("\n");
}

/** The same as an e-mail: what it is about in its subject, each link beside what it is for, and where to look. */
export function mailOf(space: SpaceName, told: readonly ToldNotice[]): { readonly subject: string; readonly text: string } {
  const more = told.length - mostSpelled;
  const [first] = told;
  return {
    subject: first !== undefined && told.length === 1 ? `[${space}] ${first.notice.text}` : `[${space}] ${told.length} notices`,
    text: [
      ...told
        .slice(0, mostSpelled)
        .flatMap(({ notice, link }) => [withNext(space, notice), ...(link === null ? [] : [`  Look and take note: ${link}`]), ""]),
      ...(more > 0 ? [`and ${more} more`, ""] : []),
      `Everything that happened: drover escalation ls --space ${space}`,
      "",
    ].join("\n"),
  };
}
