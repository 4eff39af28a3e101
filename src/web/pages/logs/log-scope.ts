import { quote } from "../../parts/format.ts";
import { parameter, space } from "../../state/location.ts";
import { type AskedRange, sinceOptions } from "../../state/time-range.ts";

/** Which lines are looked for, as the address says. */
export interface Scope {
  readonly q: string;
  readonly space: string | undefined;
  readonly app: string | undefined;
  /** Whose lines; all of them otherwise. */
  readonly of: string | undefined;
  /** Drover's own programs in place of apps. */
  readonly own: true | undefined;
}

export function scopeOfPage(): Scope {
  const q = parameter("q");
  if (parameter("own") !== "") return { q, space: undefined, app: undefined, of: undefined, own: true };
  const [ofSpace, ofApp] = parameter("app").split("/");
  const of = parameter("of") || undefined;
  return { q, space: ofApp === undefined ? (space.value ?? undefined) : ofSpace, app: ofApp, of, own: undefined };
}

/** The command that finds the same. */
export function logsCommand({ q, space, app, of, own }: Scope, asked: AskedRange): string {
  return [
    "drover logs",
    app === undefined ? "" : `${space}/${app}`,
    own === true ? "--own" : "",
    of === undefined ? "" : `--of ${of}`,
    app === undefined && space !== undefined ? `--space ${space}` : "",
    q === "" ? "" : `--search ${quote(q)}`,
    sinceOptions(asked),
  ]
    .filter(Boolean)
    .join(" ");
}
