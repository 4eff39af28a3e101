import { fieldsOf, type LogEventFields, type LogFieldValue } from "#model/log-fields.ts";
import { kindOfInstance } from "#model/log-kind.ts";
import type { EventLevel } from "#model/log-level.ts";
import { maskFields, maskText } from "#model/log-mask.ts";
import { foldText, type LogExpression, type LogTerm } from "#model/log-query.ts";
import type { MachineId } from "#model/names.ts";
import { sourceOf } from "../frame.ts";
import { levelOfRaw, type RawEvent, textOf } from "./raw-events.ts";

/** An event with what is only worked out if somebody asks. */
export class ReadEvent {
  readonly raw: RawEvent;
  readonly #machine: MachineId;
  readonly #hidden: RegExp | null;
  #text: string | null = null;
  #folded: string | null = null;
  #fields: LogEventFields | null = null;

  /** @param hidden what is not shown of it, and so is not found */
  constructor(raw: RawEvent, machine: MachineId, hidden: RegExp | null) {
    this.raw = raw;
    this.#machine = machine;
    this.#hidden = hidden;
  }

  get text(): string {
    return (this.#text ??= maskText(textOf(this.raw), this.#hidden));
  }

  get folded(): string {
    return (this.#folded ??= foldText(this.text));
  }

  get fields(): LogEventFields {
    // Read out of what was printed, as whoever shows them does: a mask may stand across what makes them fields.
    return (this.#fields ??= this.raw.notice === null ? maskFields(fieldsOf(textOf(this.raw)), this.text, this.#hidden) : {});
  }

  get level(): EventLevel | null {
    return levelOfRaw(this.raw);
  }

  /** One of the fields that every event has, or of its text. */
  field(name: string): LogFieldValue | undefined {
    const { instance, notice } = this.raw;
    const [space = "", app = "", rest = ""] = instance.split("/");
    const [process = "", release = ""] = rest.split(".");
    switch (name) {
      case "space":
        return space;
      case "app":
        return app;
      case "process":
        return process;
      case "release":
        return Number(release);
      case "instance":
        return rest;
      case "machine":
        return this.#machine;
      case "source":
        return sourceOf(notice);
      case "of":
        return kindOfInstance(instance);
      default:
        return this.fields[name];
    }
  }
}

export function matches(event: ReadEvent, expression: LogExpression): boolean {
  return expression.some((terms) => terms.every((term) => holds(event, term) !== term.not));
}

function holds(event: ReadEvent, term: LogTerm): boolean {
  switch (term.kind) {
    case "text":
      return event.folded.includes(term.text);
    case "level": {
      const { level } = event;
      return level !== null && term.levels.includes(level);
    }
    case "is":
      return foldedField(event, term.field) === term.value;
    case "begins":
      return foldedField(event, term.field)?.startsWith(term.value) ?? false;
    case "compares":
      return compares(event.field(term.field), term);
    default:
      return term satisfies never;
  }
}

function foldedField(event: ReadEvent, name: string): string | null {
  const value = event.field(name);
  return value === undefined ? null : foldText(String(value));
}

function compares(value: LogFieldValue | undefined, { by, value: bound }: Extract<LogTerm, { kind: "compares" }>): boolean {
  const number = typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
  switch (by) {
    case ">":
      return number > bound;
    case ">=":
      return number >= bound;
    case "<":
      return number < bound;
    case "<=":
      return number <= bound;
    default:
      return by satisfies never;
  }
}
