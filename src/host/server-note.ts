import { rm } from "node:fs/promises";
import { type DroverError, type ErrorBody, hasCode, toErrorBody } from "#model/errors.ts";
import { readTextIfThere, writeFileAtomic } from "./files.ts";
import type { Home } from "./home.ts";

/** Leaves word of why the server on this home cannot start, for the commands that do not reach it. */
export async function noteWhyServerEnded({ serverErrorFile }: Home, error: DroverError): Promise<void> {
  await writeFileAtomic(serverErrorFile, `${JSON.stringify(toErrorBody(error))}\n`, { durable: false });
}

/** The server runs: what kept it from that is over. */
export async function forgetWhyServerEnded({ serverErrorFile }: Home): Promise<void> {
  await rm(serverErrorFile, { force: true });
}

/** Why the server on this home could not start when it last tried; null if it could, or if this user may not know. */
export async function whyServerEnded({ serverErrorFile }: Home): Promise<ErrorBody | null> {
  try {
    const text = await readTextIfThere(serverErrorFile);
    return text === null ? null : (JSON.parse(text) as ErrorBody);
  } catch (error) {
    if (hasCode(error, "EACCES") || hasCode(error, "ENOTDIR")) return null;
    throw error;
  }
}
