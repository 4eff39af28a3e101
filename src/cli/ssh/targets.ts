import { readFile } from "node:fs/promises";
import { DroverError } from "#model/errors.ts";
import { namePattern } from "#model/names.ts";
import { readLabel } from "../arguments.ts";

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

/** A file that names more hosts than a person would write by hand is another file. */
const longestFile = 2 ** 20;
/** As many tokens as fit into the time that one is good for; a larger fleet is added in parts. */
const mostTargets = 1_000;

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

/** One host a line, with its labels behind it: `ops@10.0.0.12 zone=a`. Empty lines and what follows a "#" count for nothing. @throws {DroverError} */
export async function readTargets(file: string, labels: Readonly<Record<string, string>>): Promise<readonly Target[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new DroverError("USAGE", `the file of hosts "${file}" cannot be read`, {
      cause: error,
      hint: "Give a file with one host a line.",
    });
  });
  if (text.length > longestFile) throw new DroverError("BODY_TOO_LARGE", `"${file}" is over ${longestFile / 2 ** 20} MiB`);
  return text.split("\n").flatMap((line, index) => {
    const [target, ...own] = line
      .replace(/(^|\s)#.*/, "")
      .split(/\s+/)
      .filter((word) => word !== "");
    if (target === undefined) return [];
    try {
      return [parseTarget(target, { ...labels, ...Object.fromEntries(own.map(readLabel)) })];
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      throw new DroverError(error.code, `${file}:${index + 1}: ${error.message}`, { hint: error.hint });
    }
  });
}

/** @throws {DroverError} USAGE if there is none, too many, or one twice */
export function requireTargets(targets: readonly Target[]): void {
  if (targets.length === 0)
    throw new DroverError("USAGE", "no host was named", { hint: 'Name them, such as "drover machine add ops@10.0.0.12", or give --file.' });
  if (targets.length > mostTargets)
    throw new DroverError("USAGE", `${targets.length} hosts are more than ${mostTargets}`, { hint: "Add them in parts." });
  const seen = new Set<string>();
  for (const target of targets) {
    const place = `${target.host}:${target.port ?? ""}`;
    const twice = seen.has(place) ? target.host : target.name !== null && seen.has(`${target.name}=`) ? target.name : null;
    if (twice !== null)
      throw new DroverError("USAGE", `"${twice}" is named twice`, { hint: "Name each host once, and each machine differently." });
    seen.add(place);
    if (target.name !== null) seen.add(`${target.name}=`);
  }
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
