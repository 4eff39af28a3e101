import type { LogEventView } from "#model/api-logs.ts";
import { DroverError } from "#model/errors.ts";
import { maskFields, maskPattern, maskText, spaceOfInstance } from "#model/log-mask.ts";
import type { SpaceName } from "#model/names.ts";
import type { Secrets } from "../secrets/secrets.ts";

/** A shorter value may be a part of ordinary words, and is no secret that keeps anybody out. */
const shortest = 6;
/** Of a value of several lines, such as a key, each long one by itself: lines are what is shown. */
const shortestLine = 16;

interface KnownForms {
  /** The versions that they are made of. */
  readonly of: string;
  readonly byName: ReadonlyMap<string, readonly string[]>;
  readonly pattern: RegExp | null;
}

/** Takes the values of a space's secrets out of what its apps printed, before it leaves the server. */
export class SecretMask {
  readonly #secrets: Secrets;
  readonly #known = new Map<string, KnownForms>();

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** @param instance whose text it is: its space says which secrets */
  text(instance: string, text: string): string {
    return maskText(text, this.#formsOf(spaceOf(instance)).pattern);
  }

  event<E extends Pick<LogEventView, "instance" | "text" | "fields">>(event: E): E {
    const { pattern } = this.#formsOf(spaceOf(event.instance));
    if (pattern === null) return event;
    const text = maskText(event.text, pattern);
    return { ...event, text, fields: { ...maskFields(event.fields, text, pattern) } };
  }

  /** The space's values in every form in which they are not shown. @param has which secrets; all of them if left out */
  forms(space: SpaceName, has: (name: string) => boolean = () => true): readonly string[] {
    return [...this.#formsOf(space).byName].flatMap(([name, forms]) => (has(name) ? forms : []));
  }

  #formsOf(space: SpaceName): KnownForms {
    // Older ones too: releases that run still have them.
    const versions = this.#secrets.versions(space);
    const of = versions.map(({ name, version, updatedAtMs }) => `${name}:${version}:${updatedAtMs}`).join();
    const known = this.#known.get(space);
    if (known?.of === of) return known;
    const byName = new Map<string, string[]>();
    for (const { name, version } of versions) {
      const forms = shownForms(this.#reveal(space, name, version));
      byName.set(name, [...(byName.get(name) ?? []), ...forms]);
    }
    const made = { of, byName, pattern: maskPattern([...byName.values()].flat()) };
    this.#known.set(space, made);
    return made;
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
  return spaceOfInstance(instance) as SpaceName;
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
