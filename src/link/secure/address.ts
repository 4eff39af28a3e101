import { type Address, readHostAndPort } from "#host/address.ts";
import { DroverError } from "#model/errors.ts";

/** `10.0.0.1:7374`, `m1.example:7374`, `[2001:db8::1]:7374`. @throws {DroverError} USAGE */
export function parseLinkAddress(text: string): Address {
  const address = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d+$/.test(text) ? readHostAndPort(text) : null;
  if (address !== null && address.port >= 1) return address;
  throw new DroverError("USAGE", `"${text}" is no address of a server`, {
    hint: 'Write HOST:PORT, as "drover machine token" shows it.',
  });
}
