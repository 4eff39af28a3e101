import { DroverError } from "#model/errors.ts";

export type Labels = Readonly<Record<string, string>>;

/** Reads `--edges KEY=VALUE`, once for each label that a machine has to have. @throws {DroverError} USAGE */
export function readEdges(texts: readonly string[]): Labels {
  return Object.fromEntries(texts.map(readOne));
}

function readOne(text: string): readonly [string, string] {
  const [, key, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return [key, value];
  throw new DroverError("USAGE", `"--edges ${text}" names no label`, { hint: 'Write KEY=VALUE, such as "--edges edge=yes".' });
}
