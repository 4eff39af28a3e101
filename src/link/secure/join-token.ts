import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { DroverError } from "#model/errors.ts";
import { namePattern } from "#model/names.ts";

/** Lets one machine join, once. */
export interface JoinToken {
  readonly machine: string;
  /** Names the token without giving it away. */
  readonly id: string;
  /** The digest of the authority's public key, in hex: what the machine knows the server by before it has anything else of it. */
  readonly authority: string;
  /** The whole of it. */
  readonly text: string;
}

const pattern = /^drv_join_([a-z0-9-]{1,40})_([0-9a-f]{16})_([0-9a-f]{64})_([0-9a-f]{64})([0-9a-f]{8})$/;

/** `drv_join_<machine>_<id>_<secret>_<authority><checksum>`: the prefix is for secret scanners, the checksum for who cut it off when copying. */
export function newJoinToken(machine: string, authority: string): JoinToken {
  const id = randomBytes(8).toString("hex");
  const body = `drv_join_${machine}_${id}_${randomBytes(32).toString("hex")}_${authority}`;
  return { machine, id, authority, text: body + checksum(body) };
}

/** @throws {DroverError} JOIN_REFUSED if it is none */
export function parseJoinToken(text: string): JoinToken {
  const [whole, machine = "", id = "", , authority = "", sum] = pattern.exec(text) ?? [];
  if (whole === undefined || !namePattern.test(machine) || checksum(whole.slice(0, -8)) !== sum)
    throw new DroverError("JOIN_REFUSED", "that is no token with which a machine joins, or only a part of one", {
      hint: 'Copy the whole line that "drover machine token" printed.',
    });
  return { machine, id, authority, text };
}

/** What is kept of a token. */
export function joinTokenDigest(text: string): string {
  return hash("sha256", text, "hex");
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
