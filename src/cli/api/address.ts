import { readFile } from "node:fs/promises";
import { type Home, homeAt } from "#host/home.ts";
import { whyServerEnded } from "#host/server-note.ts";
import { DroverError, fromErrorBody, hasCode } from "#model/errors.ts";

/** How to reach a server, and the token to show it. */
export type Address =
  | { readonly kind: "socket"; readonly path: string; readonly token: string }
  | { readonly kind: "url"; readonly url: URL; readonly token: string; readonly ca: string | null };

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The server that commands talk to: `$DROVER_URL` with `$DROVER_TOKEN` (and `$DROVER_CA`, a file of certificates to trust), else the Drover of this
 * machine over its Unix socket, with the token that it made at its first start.
 * @throws {DroverError} USAGE, UNAUTHENTICATED, SERVER_UNREACHABLE
 */
export async function findServer(home: Home, environment: Environment): Promise<Address> {
  const url = environment["DROVER_URL"];
  if (url === undefined || url === "") return { kind: "socket", path: home.apiSocket, token: await localToken(home, environment) };
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== "http:" && parsed.protocol !== "https:")) {
    throw new DroverError("USAGE", `DROVER_URL is no address: "${url}"`, { hint: "Give it as https://host:port." });
  }
  const caFile = environment["DROVER_CA"];
  const token = environment["DROVER_TOKEN"] ?? "";
  if (token === "") {
    throw new DroverError("UNAUTHENTICATED", "DROVER_URL is set, but DROVER_TOKEN is not", {
      hint: "Put the server's token into DROVER_TOKEN, or unset DROVER_URL to use the Drover of this machine.",
    });
  }
  return { kind: "url", url: parsed, token, ca: caFile ? await readFile(caFile, "utf8") : null };
}

async function localToken(home: Home, environment: Environment): Promise<string> {
  if (environment["DROVER_TOKEN"]) return environment["DROVER_TOKEN"];
  try {
    return (await readFile(home.tokenFile, "utf8")).trim();
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) {
      throw await notRunning(home, error);
    }
    if (hasCode(error, "EACCES")) {
      throw new DroverError("UNAUTHENTICATED", `cannot read the token at "${home.tokenFile}"`, {
        cause: error,
        hint: "Run the command as the user who started Drover, or set DROVER_URL and DROVER_TOKEN.",
      });
    }
    throw error;
  }
}

/** The error for a server that does not answer on this machine. */
export async function notRunning(home: Home, cause: unknown): Promise<DroverError> {
  const why = await whyServerEnded(home);
  if (why !== null) {
    const { code, message, hint, details } = fromErrorBody(why);
    return new DroverError(code, `the server on "${home.root}" cannot start: ${message}`, { hint, details });
  }
  const elsewhere = await otherHome(home);
  return new DroverError("SERVER_UNREACHABLE", `no Drover runs on "${home.root}"`, {
    cause,
    hint:
      elsewhere === null
        ? 'Start it with "drover up".'
        : `One runs on "${elsewhere}": set DROVER_HOME to that, or start another with "drover up".`,
  });
}

/** Root's Drover, for the common slip of asking one's own home for it. */
async function otherHome(home: Home): Promise<string | null> {
  const system = "/var/lib/drover";
  if (home.root === system) return null;
  try {
    await readFile(homeAt(system).addressFile);
    return system;
  } catch {
    // Only looked at to give a better hint: if it cannot be read, there is none to give.
    return null;
  }
}
