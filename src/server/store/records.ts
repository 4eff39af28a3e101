import type { SQLOutputValue } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { VersionRow } from "./journal.ts";

/** CRC-32 over everything that a row says: finds every flipped bit that the disk or memory made of it. */
export function checksumOf({ place, key, value, createRevision, version, previousPlace }: VersionRow): number {
  const numbers = new Float64Array([place, createRevision, version, previousPlace, value === null ? 0 : 1]);
  const head = crc32(key, crc32(new Uint8Array(numbers.buffer)));
  return value === null ? head : crc32(value, head);
}

/** Something in a store's file that is not as it was written. */
export class Damage extends Error {
  override readonly name = "Damage";
}

/** A row as it was written. @throws {Damage} if it is not. */
export function readRow(columns: Record<string, SQLOutputValue>): VersionRow {
  const { place, key, value, create_revision: createRevision, version, previous_place: previousPlace, checksum } = columns;
  if (
    typeof place !== "number" ||
    typeof key !== "string" ||
    !(value === null || value instanceof Uint8Array) ||
    typeof createRevision !== "number" ||
    typeof version !== "number" ||
    typeof previousPlace !== "number"
  ) {
    throw new Damage(`the record at place ${String(place)} holds values of other kinds than were written`);
  }
  const row = { place, key, value, createRevision, version, previousPlace };
  if (checksumOf(row) !== checksum) throw new Damage(`the record at place ${place} ("${key}") does not fit its checksum`);
  return row;
}

export function checksumOfMeta(name: string, value: string): number {
  return crc32(`${name}\0${value}`);
}
