import { readFile } from "node:fs/promises";
import { readHostAndPort } from "#host/address.ts";
import type { MachineList, MachineToken } from "#model/api-machines.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Neighbour } from "#model/programs.ts";
import { formatTarget, parseTarget, type Target } from "#model/ssh-target.ts";
import type { Members } from "#ssh/add-machine.ts";
import { apiPath } from "../api/client.ts";
import type { Session } from "../command.ts";
import { readHidden } from "../prompt.ts";

/** Options of every command that goes to hosts. */
export interface SshOptions {
  readonly jump?: string;
  readonly identity?: string;
  readonly sudoPasswordFile?: string;
}

/** The server, as far as adding machines needs it. @throws {DroverError} NOT_YET_SUPPORTED if it takes none */
export async function membersOf({ api, signal: session }: Session): Promise<Members> {
  const list = (signal: AbortSignal) => api.call<MachineList>("GET", apiPath(["machines"]), signal);
  const { join: address } = await list(session);
  const found = address === null ? null : readHostAndPort(address);
  if (found === null)
    throw new DroverError("NOT_YET_SUPPORTED", "other machines cannot reach this server", {
      hint: 'Start it with "drover up --link HOST:7374", with an address of that machine that the others reach.',
    });
  return {
    join: found,
    linked: async (signal) => new Set((await list(signal)).machines.filter(({ linked }) => linked).map(({ id }) => id)),
    known: async (signal) => new Set((await list(signal)).machines.map(({ id }) => id)),
    createToken: async (machine, labels, signal) =>
      (await api.call<MachineToken>("POST", apiPath(["machine-tokens"]), signal, { body: { machine, labels } })).token,
    neighbour: async (body, signal) => {
      const answer = await api.call<{ readonly neighbour: Neighbour | null }>("POST", apiPath(["programs", "neighbours"]), signal, {
        body,
      });
      return answer.neighbour;
    },
    forget: async (name, signal) => {
      try {
        await api.call("DELETE", apiPath(["machines", name], { force: "true" }), signal);
      } catch (error) {
        // It had not joined yet.
        if (!hasCode(error, "MACHINE_NOT_FOUND")) throw error;
      }
    },
  };
}

/** Hosts on the way, one behind the other, as `ssh -J` takes them. @throws {DroverError} USAGE */
export function readJump(text: string | undefined): string | null {
  if (text === undefined) return null;
  return text
    .split(",")
    .map((one) => formatTarget({ ...parseTarget(one), name: null }))
    .join(",");
}

/**
 * Whom to ask for the password of `sudo`: the file that was given, else the person, once for each user, as most fleets have one.
 * @param quietly keeps everything else from the terminal meanwhile
 * @returns null if there is nobody
 */
export function passwordSource(
  session: Session,
  file: string | undefined,
  quietly: <T>(asking: () => Promise<T>) => Promise<T>,
): ((user: string, target: Target) => Promise<string>) | null {
  const { input, error } = session.terminal;
  if (file === undefined && (input.isTTY !== true || error.isTTY !== true)) return null;
  const known = new Map<string, Promise<string>>();
  return (user, target) => {
    const asked = known.get(user) ?? (file === undefined ? quietly(() => askFor(session, user, target)) : readPassword(file));
    known.set(user, asked);
    return asked;
  };
}

async function askFor(session: Session, user: string, target: Target): Promise<string> {
  const password = await readHidden(session, `password of "${user}" for sudo on ${target.host} and wherever else it is asked for: `);
  session.signal.throwIfAborted();
  return password;
}

/** @throws {DroverError} USAGE */
async function readPassword(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new DroverError("USAGE", `the password's file "${file}" cannot be read`, {
      cause: error,
      hint: "Give a file that you may read.",
    });
  });
  const [password = ""] = text.split(/\r?\n/, 1);
  if (password !== "") return password;
  throw new DroverError("USAGE", `"${file}" has no password in its first line`, { hint: "Write it there, alone on that line." });
}
