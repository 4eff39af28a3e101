import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { keyPem, newKey } from "#host/x509/make-certificate.ts";
import { DroverError } from "#model/errors.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";
import { alternativeNames, machineUri } from "./names.ts";

/** What a machine has to show on its links, and what it goes by there. */
export interface Membership {
  /** `HOST:PORT` where the server takes links. */
  readonly address: string;
  readonly machine: string;
  readonly installation: string;
  /** The id of the token that it joined with. */
  readonly token: string;
  /** Both PEM. */
  readonly certificate: string;
  readonly authority: string;
}

/** The machine's own key; made when it is first asked for, and never given away. */
export async function openLinkKey(folder: string): Promise<KeyObject> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const file = join(folder, "key.pem");
  const kept = await readTextIfThere(file);
  if (kept !== null) return createPrivateKey(kept);
  const key = await newKey();
  await writeFileAtomic(file, keyPem(key), { mode: 0o600 });
  return key;
}

/** Null on a machine that has joined nobody. @throws {Error} if what is there cannot be read: guessing would make it a Drover of its own. */
export async function readMembership(folder: string): Promise<Membership | null> {
  const file = join(folder, "membership.json");
  const text = await readTextIfThere(file);
  if (text === null) return null;
  const read = parseJson(text);
  if (!isMembership(read)) throw new Error(`"${file}" is not what a machine that has joined has written`);
  return read;
}

export async function writeMembership(folder: string, membership: Membership): Promise<void> {
  await writeFileAtomic(join(folder, "membership.json"), `${JSON.stringify(membership)}\n`, { mode: 0o600 });
}

/**
 * Takes a younger certificate for the machine's own key.
 * @throws {DroverError} CERTIFICATE_REFUSED if it is for another key or name, or of another authority
 */
export async function renewMembership(folder: string, certificate: string): Promise<void> {
  const known = await readMembership(folder);
  if (known === null) throw new DroverError("CERTIFICATE_REFUSED", "this machine has joined nobody");
  requireOwn(certificate, known, await openLinkKey(folder));
  await writeMembership(folder, { ...known, certificate });
}

/** @throws {DroverError} CERTIFICATE_REFUSED */
export function requireOwn(
  certificate: string,
  { authority, installation, machine }: Pick<Membership, "authority" | "installation" | "machine">,
  key: KeyObject,
): void {
  const given = new X509Certificate(certificate);
  const isOwn =
    given.checkPrivateKey(key) &&
    given.verify(new X509Certificate(authority).publicKey) &&
    given.subjectAltName === alternativeNames(machineUri(installation, machine));
  if (!isOwn) throw new DroverError("CERTIFICATE_REFUSED", `the server sent a certificate that is not for "${machine}" and its key`);
}

function isMembership(value: unknown): value is Membership {
  return (
    isRecord(value) &&
    ["address", "machine", "installation", "token", "certificate", "authority"].every((key) => isText(value[key], 16_384))
  );
}
