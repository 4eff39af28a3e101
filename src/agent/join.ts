import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Home } from "#host/home.ts";
import type { LinkRoutes } from "#link/serve.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { isRecord, isText } from "#model/shape.ts";
import type { JoinOrder } from "./options.ts";

/**
 * Makes this machine one of another Drover, if it was told to and is not yet. Told the same again, as by a unit of an init system at each boot, it is
 * one already; with another token it joins anew, as after its certificate was let expire.
 * @throws {DroverError} CONFLICT on a home with a server of its own; USAGE; whatever joining throws
 */
export async function joinIfAsked(home: Home, order: JoinOrder | null, signal: AbortSignal): Promise<void> {
  if (order === null) return;
  if (existsSync(join(home.server, "store.db")))
    throw new DroverError("CONFLICT", `"${home.root}" holds a Drover of its own, which cannot be a part of another`, {
      hint: "Start this machine on an empty home, with --home DIR, or without --join.",
    });
  const [{ readMembership, writeMembership }, { joinServer }, { parseJoinToken }] = await Promise.all([
    import("#link/secure/membership.ts"),
    import("#link/secure/join.ts"),
    import("#link/secure/join-token.ts"),
  ]);
  const known = await readMembership(home.link);
  const token = order.tokenFile === null ? null : await readToken(order.tokenFile, known !== null);
  if (known !== null && (token === null || parseJoinToken(token).id === known.token)) {
    // The server may have moved: who it is, its certificate shows.
    if (known.address !== order.address) await writeMembership(home.link, { ...known, address: order.address });
    return;
  }
  if (token === null)
    throw new DroverError("JOIN_REFUSED", `this machine has not joined the Drover at ${order.address} yet`, {
      hint: 'Make a token there with "drover machine token NAME", and give it with --token-file FILE.',
    });
  try {
    await joinServer({ folder: home.link, address: order.address, token, machine: order.machine }, signal);
  } catch (error) {
    if (error instanceof DroverError) throw error;
    // OpenSSL's words about what is no TLS at all help nobody.
    if (hasCode(error, "EPROTO") || hasCode(error, "ERR_SSL_WRONG_VERSION_NUMBER"))
      throw new DroverError("SERVER_UNREACHABLE", `what answers at ${order.address} is not where a Drover takes machines`, {
        hint: 'Use the address that "drover machine token" shows, which is that of "--link".',
      });
    throw new DroverError("SERVER_UNREACHABLE", `the Drover at ${order.address} cannot be reached to join it`, {
      cause: error,
      hint: 'Is it started with "--link", and is its port open from here?',
    });
  }
}

/** Null if the file is gone, which is as it should be once the token is used. */
async function readToken(file: string, isMember: boolean): Promise<string | null> {
  try {
    return (file === "-" ? await text(process.stdin) : await readFile(file, "utf8")).trim();
  } catch (error) {
    if (hasCode(error, "ENOENT") && isMember) return null;
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("USAGE", `there is no token file "${file}"`, { cause: error, hint: "Give the file that has the token in it." });
  }
}

/** What a machine that has joined serves besides. */
export function certificateRoutes(home: Home): LinkRoutes {
  return {
    "PUT /certificate": async (call) => {
      const body = await call.body();
      const certificate = isRecord(body) ? body["certificate"] : null;
      if (!isText(certificate, 16_384)) throw new DroverError("REQUEST_INVALID", "the body holds no certificate");
      const { renewMembership } = await import("#link/secure/membership.ts");
      await renewMembership(home.link, certificate);
      return null;
    },
  };
}
