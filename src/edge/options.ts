import { isIP } from "node:net";
import { DroverError } from "#model/errors.ts";

export interface EdgeOptions {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  /** Processes that carry traffic; null: one for each core. */
  readonly workers: number | null;
}

/** The public address when none is given. */
const defaultAddress = "127.0.0.1:8080";

/** More than any machine has cores for; each is a process. */
const mostWorkers = 256;

/** `--home DIR [--http HOST:PORT] [--workers N]`. @throws {DroverError} USAGE. */
export function parseEdgeOptions(args: readonly string[], defaultHome: string): EdgeOptions {
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    const [name = "", value] = args.slice(at, at + 2);
    if (value === undefined || !["--home", "--http", "--workers"].includes(name))
      throw new DroverError("USAGE", `"${name}" is not understood`, {
        hint: "Use drover edge --home DIR --http HOST:PORT --workers N.",
      });
    given.set(name, value);
  }
  const workers = given.get("--workers");
  return {
    home: given.get("--home") ?? defaultHome,
    ...parseAddress(given.get("--http") ?? defaultAddress),
    workers: workers === undefined ? null : parseWorkers(workers),
  };
}

function parseWorkers(text: string): number {
  const workers = Number(text);
  if (/^\d+$/.test(text) && workers >= 1 && workers <= mostWorkers) return workers;
  throw new DroverError("USAGE", `"${text}" is no number of workers`, { hint: `Use a number from 1 to ${mostWorkers}, or leave it out.` });
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
