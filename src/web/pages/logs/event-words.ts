import type { LogEventView } from "#model/api-logs.ts";
import { visibleText } from "../../parts/visible-text.ts";

export const levelTones = { trace: "off", debug: "off", info: "good", warn: "warn", error: "bad", fatal: "bad" } as const;

/** What an event is called in the address: no two have the same name. */
export function nameOf({ instance, sequence }: LogEventView): string {
  return `${instance}:${sequence}`;
}

/** The first line of an event, as it may stand in a page, and how many follow. */
export function firstLine({ text }: LogEventView): { readonly text: string; readonly more: number } {
  const end = text.indexOf("\n");
  return { text: visibleText(end === -1 ? text : text.slice(0, end)), more: text.split("\n").length - 1 };
}

/** Its app and, behind it, which of its instances; Drover's own programs among them. */
export function placeOf({ instance }: LogEventView): { readonly space: string; readonly app: string; readonly name: string } {
  const [space = "", app = "", name = ""] = instance.split("/");
  return { space, app, name };
}
