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
    const pattern = this.#patternOf(spaceOf(instance));
    return pattern === null ? text : text.replace(pattern, mask);
  }

  /** Fields too, whatever stands in the text: there, anything may be written as an escape. */
  event<E extends Pick<LogEventView, "instance" | "text" | "fields">>(event: E): E {
    const pattern = this.#patternOf(spaceOf(event.instance));
    if (pattern === null) return event;
    const fields = Object.entries(event.fields).map(([name, value]) => {
      const shown = String(value).replace(pattern, mask);
      return [name, shown === String(value) ? value : shown];
    });
    return { ...event, text: event.text.replace(pattern, mask), fields: Object.fromEntries(fields) };
  }

  #patternOf(space: SpaceName): RegExp | null {
    // Older ones too: releases that run still have them.
    const versions = this.#secrets.versions(space);
    const of = versions.map(({ name, version, updatedAtMs }) => `${name}:${version}:${updatedAtMs}`).join();
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

function spaceOf(instance: string): SpaceName {
  return instance.slice(0, instance.indexOf("/")) as SpaceName;
}

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * A value as it stands in lines: as it is, as JSON writes it in the ways of several languages, in an address, in Base64, and line by line.
 */
function shownForms(value: string): readonly string[] {
  const lines = value.includes("\n") ? value.split(/\r?\n/).filter((line) => line.length >= shortestLine) : [];
  const json = JSON.stringify(value).slice(1, -1);
  const forms = [
    value,
    json,
    // As PHP, Go, and Python write it.
    json.replaceAll("/", "\\/"),
    json.replace(/[<>&]/g, escaped),
    json.replace(/[\u0080-\uffff]/g, escaped),
    encodeURIComponent(value.toWellFormed()),
    ...(["base64", "base64url"] as const).map((encoding) => Buffer.from(value).toString(encoding).replace(/=+$/, "")),
  ];
  return value.length < shortest ? lines : [...forms, ...lines];
}
