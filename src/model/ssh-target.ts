import { DroverError } from "./errors.ts";
import { namePattern } from "./names.ts";

/** A host as it was named: `[NAME=][USER@]HOST[:PORT]`. What is left out is as the person's own SSH configuration has it. */
export interface Target {
  /** What the machine is to be called; null: as the host is called. */
  readonly name: string | null;
  readonly user: string | null;
  /** A name, an alias of the SSH configuration or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** No part can start with a dash, so that none can be taken for an option of `ssh`. */
const form =
  /^(?:(?<name>[^=@]*)=)?(?:(?<user>[A-Za-z_][A-Za-z0-9._-]*)@)?(?:\[(?<ipv6>[0-9A-Fa-f:.]+)\]|(?<host>[A-Za-z0-9][A-Za-z0-9._-]*))(?::(?<port>\d{1,5}))?$/;

/** @throws {DroverError} USAGE, NAME_INVALID */
export function parseTarget(text: string, labels: Readonly<Record<string, string>> = {}): Target {
  const { name, user, ipv6, host, port } = form.exec(text)?.groups ?? {};
  const found = ipv6 ?? host;
  if (found === undefined || (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535)))
    throw new DroverError("USAGE", `"${text}" is no host`, {
      hint: 'Write [NAME=][USER@]HOST[:PORT], such as "m2=ops@10.0.0.12"; an IPv6 address goes in brackets.',
    });
  if (name !== undefined && !namePattern.test(name)) throw invalidName(name);
  return { name: name ?? null, user: user ?? null, host: found, port: port === undefined ? null : Number(port), labels };
}

/** As it would be written, and as `parseTarget` reads it again. */
export function formatTarget({ name, user, host, port }: Omit<Target, "labels">): string {
  const place = host.includes(":") ? `[${host}]` : host;
  return `${name === null ? "" : `${name}=`}${user === null ? "" : `${user}@`}${place}${port === null ? "" : `:${port}`}`;
}

/** What the machine is to be called: what was asked for, else the first label of the host's name, else of what the host calls itself. @throws {DroverError} NAME_INVALID */
export function machineName({ name, host }: Target, hostName: string): string {
  if (name !== null) return name;
  const isAddress = /^[\d.]+$/.test(host) || host.includes(":");
  const [label = ""] = (isAddress ? hostName : host).toLowerCase().split(".");
  if (namePattern.test(label)) return label;
  throw invalidName(label);
}

function invalidName(name: string): DroverError {
  return new DroverError("NAME_INVALID", `"${name}" cannot be a machine's name`, {
    hint: 'Give it one of lower-case letters, digits and dashes, such as "m2=ops@10.0.0.12".',
  });
}
