import { DroverError } from "#model/errors.ts";

/** Reads `--connections-per-client`; null if it was left out. @throws {DroverError} USAGE. */
export function readConnectionsPerClient(text: string | undefined): number | null {
  if (text === undefined) return null;
  const connections = Number(text);
  if (/^\d{1,9}$/.test(text) && connections > 0) return connections;
  throw new DroverError("USAGE", `"${text}" is no number of connections`, {
    hint: "Use a number such as 100, or leave it out.",
  });
}
