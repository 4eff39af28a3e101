import type { LogEventView } from "#model/api-logs.ts";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import type { Secrets } from "../secrets/secrets.ts";

/** What stands in place of a secret. */
const mask = "******";
/** A shorter value may be a part of ordinary words, and is no secret that keeps anybody out. */
const shortest = 6;
/** Of a value of several lines, such as a key, each long one by itself: lines are what is shown. */
const shortestLine = 16;

/** Takes the values of a space's secrets out of what its apps printed, before it leaves the server. */
export class SecretMask {
  readonly #secrets: Secrets;
  /** Patterns of spaces, by which versions they are made of. */
  readonly #patterns = new Map<string, { readonly of: string; readonly pattern: RegExp | null }>();

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** @param instance whose text it is: its space says which secrets */
  text(instance: string, text: string): string {
    const pattern = this.#patternOf(instance.slice(0, instance.indexOf("/")) as SpaceName);
    return pattern === null ? text : text.replace(pattern, mask);
  }

  event<E extends Pick<LogEventView, "instance" | "text" | "fields">>(event: E): E {
    const text = this.text(event.instance, event.text);
    if (text === event.text) return event;
    const fields = Object.entries(event.fields).map(([name, value]) => [
      name,
      typeof value === "string" ? this.text(event.instance, value) : value,
    ]);
    return { ...event, text, fields: Object.fromEntries(fields) };
  }

  #patternOf(space: SpaceName): RegExp | null {
    // Older ones too: releases that run still have them.
    const versions = this.#secrets.versions(space);
    const of = versions.map(({ name, version }) => `${name}:${version}`).join();
    const known = this.#patterns.get(space);
    if (known?.of === of) return known.pattern;
    const values = new Set(versions.flatMap(({ name, version }) => shownForms(this.#reveal(space, name, version))));
    // The longest first, so that one which begins another does not leave its end.
    const parts = [...values].sort((a, b) => b.length - a.length).map((value) => RegExp.escape(value));
    const pattern = parts.length === 0 ? null : new RegExp(parts.join("|"), "g");
    this.#patterns.set(space, { of, pattern });
    return pattern;
  }

  #reveal(space: SpaceName, name: string, version: number): string {
    try {
      return this.#secrets.reveal(space, name, version);
    } catch (error) {
      // With a key that does not fit, no app has got the value either.
      if (error instanceof DroverError) return "";
      throw error;
    }
  }
}

/** A value as it stands in lines: as it is, as JSON writes it, and line by line. */
function shownForms(value: string): readonly string[] {
  const lines = value.includes("\n") ? value.split(/\r?\n/).filter((line) => line.length >= shortestLine) : [];
  return [value, JSON.stringify(value).slice(1, -1)].filter((form) => form.length >= shortest).concat(lines);
}
