import type { IncomingHttpHeaders } from "node:http";
import { DroverError } from "#model/errors.ts";
import type { Precondition } from "./route.ts";

/** The revision at which an object was last written, as an entity tag. */
export function entityTag(revision: number): string {
  return `"${revision}"`;
}

/** @throws {DroverError} REQUEST_INVALID for conditions that the API does not have. */
export function readPrecondition(headers: IncomingHttpHeaders): Precondition {
  const match = headers["if-match"];
  const noneMatch = headers["if-none-match"];
  if (match === undefined && noneMatch === undefined) return null;
  if (match === undefined && noneMatch === "*") return 0;
  const revision = /^"(\d{1,15})"$/.exec(match ?? "");
  if (revision !== null && noneMatch === undefined) return Number(revision[1]);
  throw new DroverError("REQUEST_INVALID", "the request's conditions are not understood", {
    hint: 'Use `If-Match: "REVISION"` with the ETag that was read, or `If-None-Match: *` for what must not exist yet.',
  });
}

/** @throws {DroverError} PRECONDITION_FAILED unless the object is at the wanted revision (0: absent). */
export function requireRevision(what: string, precondition: Precondition, current: number): void {
  if (precondition === null || precondition === current) return;
  throw new DroverError(
    "PRECONDITION_FAILED",
    precondition === 0
      ? `${what} exists already, at revision ${current}`
      : `${what} is at revision ${current === 0 ? "none" : current}, not ${precondition}`,
    { hint: "Read it again, look at what changed, and repeat with the new ETag.", details: { current } },
  );
}
