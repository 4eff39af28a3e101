import { DroverError } from "#model/errors.ts";

/** `10.0.0.1:7374`, `m1.example:7374`, `[2001:db8::1]:7374`. @throws {DroverError} USAGE */
export function parseLinkAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535)
    throw new DroverError("USAGE", `"${text}" is no address of a server`, {
      hint: 'Write HOST:PORT, as "drover machine token" shows it.',
    });
  return { host: (match[1] ?? "").replaceAll(/[[\]]/g, ""), port };
}
