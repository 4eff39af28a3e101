import type { AcmeChallenge, CertificateChange, EdgeCertificate, MachineIdentity } from "#model/certificates.ts";
import { DroverError } from "#model/errors.ts";

type Fields = Readonly<Record<string, unknown>>;

/** By hand, as the table is, and for the same reason. Values never enter a message: keys are among them. @throws {DroverError} REQUEST_INVALID */
export function readCertificateChange(value: unknown): CertificateChange {
  const change = object(value, "certificates");
  const challenges = change["challenges"];
  const ticketKeys = change["ticketKeys"];
  const identity = change["identity"];
  return {
    set: list(change["set"], "set").map(readCertificate),
    remove: list(change["remove"], "remove").map((id, i) => text(id, `remove.${i}`)),
    ...(challenges === undefined ? {} : { challenges: list(challenges, "challenges").map(readChallenge) }),
    ...(ticketKeys === undefined ? {} : { ticketKeys: text(ticketKeys, "ticketKeys") }),
    ...(identity === undefined ? {} : { identity: identity === null ? null : readIdentity(identity) }),
  };
}

function readCertificate(value: unknown, index: number): EdgeCertificate {
  const at = `set.${index}`;
  const certificate = object(value, at);
  return {
    id: text(certificate["id"], `${at}.id`),
    hosts: list(certificate["hosts"], `${at}.hosts`).map((host, i) => text(host, `${at}.hosts.${i}`)),
    chain: text(certificate["chain"], `${at}.chain`),
    key: text(certificate["key"], `${at}.key`),
    isTrusted: certificate["isTrusted"] === true,
  };
}

function readChallenge(value: unknown, index: number): AcmeChallenge {
  const at = `challenges.${index}`;
  const challenge = object(value, at);
  const host = text(challenge["host"], `${at}.host`);
  const field = (key: string) => text(challenge[key], `${at}.${key}`);
  if (challenge["kind"] === "http-01") return { kind: "http-01", host, token: field("token"), content: field("content") };
  if (challenge["kind"] === "tls-alpn-01") return { kind: "tls-alpn-01", host, chain: field("chain"), key: field("key") };
  throw wrong(`${at}.kind`, "http-01 or tls-alpn-01");
}

function readIdentity(value: unknown): MachineIdentity {
  const identity = object(value, "identity");
  const field = (key: string) => text(identity[key], `identity.${key}`);
  const members = list(identity["members"], "identity.members").map((member, i) => text(member, `identity.members.${i}`));
  const given = object(identity["entry"], "identity.entry");
  const entry = { host: text(given["host"], "identity.entry.host"), port: readPort(given["port"]) };
  return { name: field("name"), chain: field("chain"), key: field("key"), authority: field("authority"), entry, members };
}

function readPort(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 65_535) throw wrong("identity.entry.port", "a port");
  return value;
}

function object(value: unknown, at: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(at, "an object");
  return value as Fields;
}

function list(value: unknown, at: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(at, "a list");
  return value;
}

function text(value: unknown, at: string): string {
  if (typeof value !== "string") throw wrong(at, "text");
  return value;
}

function wrong(at: string, wanted: string): DroverError {
  return new DroverError("REQUEST_INVALID", `"${at}" of the certificates is not ${wanted}`, {
    hint: "Server and edge may be more than one version apart.",
  });
}
