import type { ReleaseView } from "#model/api.ts";

export interface Difference {
  readonly what: string;
  /** Null: was not there. */
  readonly from: string | null;
  /** Null: is there no more. */
  readonly to: string | null;
}

type Content = Pick<ReleaseView, "artifact" | "processes" | "env" | "secrets">;

/** What differs from one release to another, by what a person would call it. Values of secrets are in neither. */
export function differences(from: Content, to: Content): readonly Difference[] {
  return [
    ...(from.artifact === to.artifact ? [] : [{ what: "artifact", from: from.artifact, to: to.artifact }]),
    ...ofRecords("process", from.processes, to.processes),
    ...ofRecords("env", from.env, to.env),
    ...ofRecords("secret", named(from.secrets), named(to.secrets)),
  ];
}

function named(names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, "(given)"]));
}

function ofRecords(kind: string, from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>): readonly Difference[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
  return names
    .map((name) => ({ what: `${kind} ${name}`, from: at(from, name), to: at(to, name) }))
    .filter((difference) => difference.from !== difference.to);
}

function at(record: Readonly<Record<string, string>>, name: string): string | null {
  return Object.hasOwn(record, name) ? (record[name] ?? null) : null;
}
