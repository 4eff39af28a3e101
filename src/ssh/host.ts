import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Address } from "#host/address.ts";
import type { Part } from "#host/distribution.ts";
import { DroverError } from "#model/errors.ts";
import { type Neighbour, nearConnectMs, nearGiveMs, partRequest } from "#model/programs.ts";
import type { Connection } from "./client.ts";
import { type HostFacts, type Privilege, readFacts, readSaid, type Said } from "./facts.ts";

/** What is done on a host, one verb of `host.sh` each. All can be done again. */
export interface Host {
  /** Where it is reached, by its own word; null: it does not say. */
  readonly address: string | null;
  /** @param join an address that it should reach; null: none is tried */
  facts(join: Address | null, signal: AbortSignal): Promise<HostFacts>;
  /** Copies a part, from where an earlier copy was cut off. @param partly bytes of it that are there */
  receive(part: Part, partly: number, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<void>;
  /** Has it take a part from a machine beside it. @throws {DroverError} SSH_FAILED with what came of that, and nothing of it is left there */
  fetch(part: Part, from: Neighbour, signal: AbortSignal): Promise<void>;
  /** Makes the parts the current Drover there. */
  install(version: string, parts: readonly Part[], signal: AbortSignal): Promise<void>;
  /** Joins; the token goes over the command's standard input and is kept nowhere. */
  join(link: string, token: string, signal: AbortSignal): Promise<void>;
  /** @param args of the agent beside its home @param unit for hosts that have systemd */
  start(args: readonly string[], unit: string, signal: AbortSignal): Promise<void>;
  /** The last lines of an agent that was started. */
  why(signal: AbortSignal): Promise<readonly string[]>;
  /** Ends the agent and forgets what was joined. */
  undo(signal: AbortSignal): Promise<void>;
  /** Runs a script of the user's as root. @param timeoutMs after which it is ended, with exit status 124 */
  run(script: string, timeoutMs: number, signal: AbortSignal): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Takes everything away but volumes of apps. @returns the folder of volumes that is left, or null */
  uninstall(signal: AbortSignal): Promise<string | null>;
}

export interface HostOptions {
  readonly connection: Connection;
  readonly log: (line: string) => void;
  /** Asked for when `sudo` wants one; null: there is nobody to ask. */
  readonly password: ((user: string) => Promise<string>) | null;
}

/** Enough for all short verbs on a slow host, and for the thirty seconds that stopping what runs there may take. */
const shortMs = 90_000;
/** The largest part over a line of 1 Mbit/s. */
const copyMs = 15 * 60_000;

/**
 * Reads its first line, which is the script, and runs it; the rest of standard input is the script's. The same text in whatever shell the user has, since all
 * take it as one word. A line that is not ours, such as a password that nobody asked for, is never run.
 */
const loader =
  'sh -c \'IFS= read -r line; case $line in drover:*) ;; *) exit 96 ;; esac; eval "$(printf %s "${line#drover:}" | base64 -d)"\'';
const prefixes = {
  root: "",
  free: "sudo -n -- ",
  // Asks whatever it remembers, so that the first line is always the password.
  password: 'sudo -k -S -p "" -- ',
} as const;

/** @throws {DroverError} HOST_UNFIT if whoever logs in may not do what only root may; SSH_FAILED */
export async function openHost({ connection, log, password: ask }: HostOptions, signal: AbortSignal): Promise<Host> {
  const script = `drover:${(await readFile(join(import.meta.dirname, "host.sh"))).toString("base64")}\n`;
  let as: keyof typeof prefixes = "root";
  let password = "";

  const call = async (
    verb: string,
    lines: readonly string[],
    until: AbortSignal,
    { data, timeoutMs = shortMs }: { readonly data?: AsyncIterable<Buffer>; readonly timeoutMs?: number } = {},
  ): Promise<{ readonly said: Said; readonly output: string }> => {
    if (lines.some((line) => line.includes("\n"))) throw new Error(`a line for "${verb}" has another line in it`);
    async function* input() {
      if (as === "password") yield `${password}\n`;
      yield `${script}${[verb, ...lines].map((line) => `${line}\n`).join("")}`;
      if (data !== undefined) yield* data;
    }
    log(`> ${[verb, ...lines].join(" ")}`);
    const { code, output, errors } = await connection.run({ line: `${prefixes[as]}${loader}`, input: input(), timeoutMs }, until);
    for (const line of `${output}\n${errors}`.split("\n")) if (line.trim() !== "") log(`  ${line.trimEnd()}`);
    const said = readSaid(output);
    const failed = said.get("failed")?.[0];
    if (failed !== undefined) throw new DroverError("SSH_FAILED", failed, { hint: said.get("hint")?.[0] ?? hintFor(failed) });
    if (said.has("end")) return { said, output };
    throw code === 255
      ? broken()
      : new DroverError("SSH_FAILED", `"${verb}" ended with ${code} there: ${lastLine(errors)}`, { hint: seeLog });
  };

  const { said: login } = await call("login", [], signal);
  const privilege = (login.get("sudo")?.[0] ?? "missing") as Privilege;
  const user = login.get("user")?.[0] ?? "";
  if (privilege === "missing")
    throw new DroverError("HOST_UNFIT", `"${user}" is not root there, and there is no sudo`, {
      hint: "Log in as root, or install sudo and let that user use it.",
    });
  if (privilege === "password") {
    password = await checkedPassword({ connection, ask, user, log }, signal);
  }
  as = privilege;

  const digests = (parts: readonly Part[]) => parts.map(({ digest }) => digest).join(" ");
  return {
    address: login.get("address")?.[0] || null,
    facts: async (at, until) => readFacts((await call("facts", at === null ? ["", ""] : [at.host, String(at.port)], until)).said),
    receive: async (part, partly, onBytes, until) => {
      const offset = partly < part.sizeBytes ? partly : 0;
      const data = counted(createReadStream(part.file, { start: offset, highWaterMark: 2 ** 18 }), offset, onBytes);
      await call("receive", [part.digest, String(part.sizeBytes), String(offset)], until, { data, timeoutMs: copyMs });
    },
    fetch: async ({ digest, sizeBytes }, { host, port, token }, until) => {
      const giveMs = nearGiveMs(sizeBytes);
      const seconds = [nearConnectMs, giveMs].map((ms) => String(Math.ceil(ms / 1_000)));
      const data = once(partRequest(token, digest));
      await call("fetch", [digest, String(sizeBytes), host, String(port), ...seconds], until, {
        data,
        timeoutMs: nearConnectMs + giveMs + shortMs,
      });
    },
    install: async (version, parts, until) => void (await call("install", [version, digests(parts)], until)),
    join: async (link, token, until) => void (await call("join", [link], until, { data: once(`${token}\n`) })),
    start: async (args, unit, until) => void (await call("start", [args.join(" "), Buffer.from(unit).toString("base64")], until)),
    why: async (until) =>
      (await call("why", [], until)).output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("drover:")),
    run: async (text, timeoutMs, until) => {
      const seconds = String(Math.ceil(timeoutMs / 1_000));
      const { said } = await call("run", [seconds], until, { data: once(text), timeoutMs: timeoutMs + shortMs });
      return { exitCode: Number(said.get("exit")?.[0]), output: (said.get("said") ?? []).join("\n") };
    },
    undo: async (until) => void (await call("undo", [], until)),
    uninstall: async (until) => (await call("uninstall", [], until)).said.get("kept")?.[0] ?? null,
  };
}

interface Asking {
  readonly connection: Connection;
  readonly ask: HostOptions["password"];
  readonly user: string;
  readonly log: (line: string) => void;
}

/** One attempt with nothing behind it, since `sudo` would take what follows for another, and hosts lock out who guesses. @throws {DroverError} HOST_UNFIT */
async function checkedPassword({ connection, ask, user, log }: Asking, signal: AbortSignal): Promise<string> {
  if (ask === null)
    throw new DroverError("HOST_UNFIT", `sudo asks "${user}" for a password there, and there is no terminal to ask at`, {
      hint: "Run the command at a terminal, give --sudo-password-file, or let that user use sudo without one.",
    });
  const password = await ask(user);
  log("> sudo with the password");
  const { code, errors } = await connection.run(
    { line: `${prefixes.password}true`, input: once(`${password}\n`), timeoutMs: shortMs },
    signal,
  );
  if (code === 0) return password;
  if (code === 255) throw broken();
  const why = lastLine(errors);
  log(`  ${why}`);
  throw /incorrect password|no password was provided|try again/i.test(errors)
    ? new DroverError("HOST_UNFIT", `sudo does not take that password of "${user}" there`, {
        hint: "Run the command for those hosts alone, and give theirs.",
      })
    : new DroverError("HOST_UNFIT", `sudo refuses "${user}" there: ${why}`, { hint: "Let that user use sudo, or log in as another." });
}

const seeLog = "Its log says more.";

function hintFor(failed: string): string {
  return /cut off/.test(failed)
    ? "Run the command again; it goes on from there."
    : /No space left/i.test(failed)
      ? "Make room there, then run the command again."
      : seeLog;
}

function broken(): DroverError {
  return new DroverError("SSH_FAILED", "the connection broke", {
    hint: "Run the command again once it answers; it goes on where it was.",
  });
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)?.trim() || "without a word";
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

async function* counted(content: AsyncIterable<Buffer>, from: number, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = from;
  for await (const chunk of content) {
    yield chunk;
    onBytes((bytes += chunk.length));
  }
}
