import { DroverError } from "#model/errors.ts";
import type { Address } from "./address.ts";

/** Reads `--encrypt`, which needs others to encrypt for. @throws {DroverError} USAGE. */
export function readEncrypt(isGiven: boolean, link: string | undefined): boolean {
  if (!isGiven || link !== undefined) return isGiven;
  throw new DroverError("USAGE", '"--encrypt" is of use with --link alone', {
    hint: 'Without other machines nothing is sent between any. Say where they dial: "--link HOST:PORT".',
  });
}

/** Where every machine takes what others send to its instances: on all addresses, because nobody knows by which one others reach it. */
export function entryBeside(link: Address): Address {
  return { host: link.host.includes(":") ? "::" : "0.0.0.0", port: link.port === 65_535 ? link.port - 1 : link.port + 1 };
}
