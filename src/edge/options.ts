import { isIP } from "node:net";
import { DroverError } from "#model/errors.ts";

export interface EdgeOptions {
  readonly home: string;
  readonly host: string;
  readonly port: number;
}

/** The public address when none is given. */
const defaultAddress = "127.0.0.1:8080";

/** `--home DIR [--http HOST:PORT]`. @throws {DroverError} USAGE. */
export function parseEdgeOptions(args: readonly string[], defaultHome: string): EdgeOptions {
  let home = defaultHome;
  let http = defaultAddress;
  for (let at = 0; at < args.length; at += 2) {
    const value = args[at + 1];
    if (value === undefined || (args[at] !== "--home" && args[at] !== "--http"))
      throw new DroverError("USAGE", `"${args[at]}" is not understood`, { hint: "Use drover edge --home DIR --http HOST:PORT." });
    if (args[at] === "--home") home = value;
    else http = value;
  }
  return { home, ...parseAddress(http) };
}

function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(.+):(\d{1,5})$/.exec(address);
  const host = match?.[1]?.replace(/^\[(.*)\]$/, "$1") ?? "";
  const port = Number(match?.[2]);
  if (match === null || port > 65_535 || (isIP(host) === 0 && host !== "localhost"))
    throw new DroverError("USAGE", `"${address}" is no address to listen on`, {
      hint: 'Use an IP address and a port, such as "127.0.0.1:8080".',
    });
  return { host, port };
}
