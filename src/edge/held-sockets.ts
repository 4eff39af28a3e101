import { closeSync } from "node:fs";
import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";

/*
 * Sockets that whoever started the edge holds, so that connections wait in them while there is no edge. Its environment names them, as `http=5,https=6`,
 * and says in DROVER_HOLDER who that is.
 */

/** A shell takes milliseconds to close them; a machine that is busy with much else takes longer. */
const releaseWithinMs = 5_000;

/** The descriptor of a socket that is held; null if it is not. */
export function heldSocket(name: string): number | null {
  const fd = new RegExp(`(?:^|,)${name}=(\\d+)`).exec(process.env["DROVER_SOCKETS"] ?? "")?.[1];
  return fd === undefined ? null : Number(fd);
}

/** Closes the public sockets here and at the holder, for an edge that begins without them. @throws {DroverError} NOT_YET_SUPPORTED as `releaseHeld` */
export async function dropHeld(clock: Clock, signal: AbortSignal): Promise<void> {
  await releaseHeld(clock, signal);
  for (const fd of [heldSocket("http"), heldSocket("https")]) if (fd !== null) closeSync(fd);
}

/** Whether there is a holder, which can start another edge on the same sockets. */
export function isHeld(): boolean {
  return process.env["DROVER_HOLDER"] === String(process.ppid);
}

/**
 * Has the holder close the public sockets: whoever is last to close one closes the port. Resolves once it has.
 * @throws {DroverError} NOT_YET_SUPPORTED if it does not, because it is older than this
 */
export async function releaseHeld(clock: Clock, signal: AbortSignal): Promise<void> {
  if (!isHeld() || (heldSocket("http") ?? heldSocket("https")) === null) return;
  const released = new AbortController();
  const onReleased = () => released.abort();
  process.once("SIGUSR1", onReleased);
  process.kill(process.ppid, "SIGUSR2");
  await pause(clock, releaseWithinMs, AbortSignal.any([signal, released.signal]));
  process.off("SIGUSR1", onReleased);
  signal.throwIfAborted();
  if (!released.signal.aborted)
    throw new DroverError("NOT_YET_SUPPORTED", "the public ports cannot be closed: what holds them is of an older version", {
      hint: "Restart Drover on that machine.",
    });
}
