import { DroverError } from "#model/errors.ts";
import { changesPerCommit } from "./journal.ts";
import type { Transaction } from "./store.ts";

const mostKeyBytes = 1_024;
const mostValueBytes = 1024 * 1024;
/** One commit is one write that holds the loop: 16 MiB are some 50 ms on a fast disk, and nothing of ours is near it. */
const mostCommitBytes = 16 * 1024 * 1024;

/** @throws {DroverError} REQUEST_INVALID, BODY_TOO_LARGE if the store's bounds do not hold. */
export function checkTransaction({ conditions = [], changes }: Transaction): void {
  if (changes.length > changesPerCommit || conditions.length > changesPerCommit) {
    throw new DroverError(
      "REQUEST_INVALID",
      `a transaction has ${Math.max(changes.length, conditions.length)} parts, over the ${changesPerCommit}`,
      {
        hint: "Split it in several transactions.",
      },
    );
  }
  for (const { key } of conditions) checkKey(key);
  const keys = new Set<string>();
  let bytes = 0;
  for (const change of changes) {
    checkKey(change.key);
    if (keys.has(change.key)) {
      throw new DroverError("REQUEST_INVALID", `a transaction changes key "${change.key}" twice`, {
        hint: "Change a key once in a transaction.",
      });
    }
    keys.add(change.key);
    if (change.kind === "delete") continue;
    bytes += change.value.byteLength;
    if (change.value.byteLength > mostValueBytes)
      throw tooLarge(`the value of key "${change.key}"`, change.value.byteLength, mostValueBytes);
  }
  if (bytes > mostCommitBytes) throw tooLarge("a transaction", bytes, mostCommitBytes);
}

export function sizeOfTransaction({ changes }: Transaction): number {
  return changes.reduce((bytes, change) => bytes + change.key.length + (change.kind === "put" ? change.value.byteLength : 0), 0);
}

function checkKey(key: string): void {
  // UTF-8 has at most three bytes for each unit of UTF-16, so short keys need no counting.
  const bytes = key.length * 3 <= mostKeyBytes ? key.length : Buffer.byteLength(key);
  if (bytes >= 1 && bytes <= mostKeyBytes && key.isWellFormed()) return;
  const shown = key.length > 64 ? `${key.slice(0, 64)}…` : key;
  throw new DroverError(
    "REQUEST_INVALID",
    `key "${shown}" has ${bytes} bytes of UTF-8${key.isWellFormed() ? "" : " and half a character"}`,
    {
      hint: `Keys have 1 to ${mostKeyBytes} bytes of well-formed text.`,
    },
  );
}

function tooLarge(what: string, bytes: number, limit: number): DroverError {
  return new DroverError("BODY_TOO_LARGE", `${what} has ${bytes} bytes, over the limit of ${limit}`, {
    hint: "Keep large things outside and store where they are.",
  });
}
