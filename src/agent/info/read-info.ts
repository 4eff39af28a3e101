import type { SaidInfo } from "#model/info.ts";
import { isRecord } from "#model/shape.ts";

/** A version, a commit or a time of building; what is longer is something else, and is cut. */
const longestValue = 200;
/** What people look at in a row of a table. */
const mostFields = 12;

/**
 * What an app's answer says of its version. The names are those in use: flat (`version`, `commit`), and those of Spring Boot's actuator
 * (`build.version`, `git.commit.id`). Null where the answer is no JSON object.
 */
export function readInfo(text: string): SaidInfo | null {
  const said = parse(text);
  if (!isRecord(said)) return null;
  const version = firstText(said["version"], inside(said, "build", "version"), inside(said, "app", "version"));
  const commit = firstText(
    said["commit"],
    said["revision"],
    said["sha"],
    inside(said, "git", "commit", "id"),
    inside(said, "git", "commit"),
    inside(said, "build", "commit"),
  );
  const more = Object.entries(said)
    .filter(([key]) => key !== "version" && key !== "commit")
    .flatMap(([key, value]) => {
      const plain = plainText(value);
      return plain === null ? [] : [[key.slice(0, longestValue), plain] as const];
    })
    .slice(0, mostFields);
  return { version, commit, more: Object.fromEntries(more) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What an app answers is its own business: it says nothing that is understood here.
    return null;
  }
}

function inside(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((at, key) => (isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined), value);
}

function firstText(...values: readonly unknown[]): string | null {
  for (const value of values) {
    const text = plainText(value);
    if (text !== null) return text;
  }
  return null;
}

function plainText(value: unknown): string | null {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return null;
  const text = String(value).slice(0, longestValue);
  return text === "" ? null : text;
}
