import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { readTextIfThere, syncFolder, writeFileAtomic } from "#host/files.ts";
import type { Home } from "#host/home.ts";
import { programsId } from "#host/programs-id.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { PartsOffer, ProgramsOrder, ProgramsState } from "#model/programs.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";
import { fetchPart, type PartSource } from "./fetch-part.ts";
import { openGiving } from "./giving.ts";
import { joinParts, listParts, prune, receivePart } from "./parts.ts";
import { overOf, programsFolder, versionOf } from "./place.ts";

export interface ProgramsOptions {
  /** The folder that Drover runs from. */
  readonly root: string;
  readonly home: Pick<Home, "root" | "run">;
  /** What starts an agent with these options, but for the program; null: whoever started this one starts the next. */
  readonly restart: readonly string[] | null;
  readonly log: Log;
}

/** Drover's own programs on this machine: it takes other versions of them, goes over to one, and back. */
export interface Programs {
  state(): Promise<ProgramsState>;
  /** @throws {DroverError} DIGEST_MISMATCH, STORAGE_FULL, ARCHIVE_INVALID, ARCHIVE_UNSAFE */
  receive(digest: string, content: Readable, signal: AbortSignal): Promise<void>;
  /** The same from another machine, which may send anything. @throws {DroverError} also UNHEALTHY if it takes no connection */
  fetch(digest: string, source: PartSource, signal: AbortSignal): Promise<void>;
  /** Gives others parts of what runs here. @throws {DroverError} UNHEALTHY */
  give(parts: readonly string[], signal: AbortSignal): Promise<PartsOffer>;
  /**
   * Makes a version whose parts are there the current one, on trial.
   * @returns the folder that the agent has to go on from; null: it runs that version already
   * @throws {DroverError} CONFLICT, UNHEALTHY if it does not even start, STORAGE_FULL
   */
  start(order: ProgramsOrder): Promise<string | null>;
  /** Ends the trial: it stays. Fine if there is none. */
  keep(): Promise<void>;
  /** The same with what was there before. @throws {DroverError} CONFLICT if there is nothing */
  back(): Promise<string>;
}

/** How long a version is on trial, in seconds: half of it is for whoever asked for it, who may wait for what runs there to be healthy. */
const trialS = 120;
/** A program that says what it is takes a fifth of a second; a machine that is busy longer. */
const startsWithinMs = 30_000;
/** As `uname -m` says it. */
const architectures: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

export function openPrograms({ root, home, restart, log }: ProgramsOptions): Programs {
  const folder = programsFolder(root, home);
  const own = versionOf(folder, root);
  const at = (name: string) => join(folder, name);
  // One at a time: two that copy, join and go over would each take the other's folders away.
  let underWay: string | null = null;
  const alone = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    if (underWay !== null)
      throw new DroverError("CONFLICT", `the machine is busy with ${underWay}`, { hint: "Try again when that has ended." });
    underWay = what;
    try {
      return await act();
    } finally {
      underWay = null;
    }
  };

  /** What a link says: `versions/…`, or the folder of what was installed by hand. */
  const linkOf = async (name: string): Promise<string | null> => {
    try {
      return await readlink(at(name));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return null;
      throw error;
    }
  };
  const setLink = async (name: string, target: string) => {
    await rm(at(`${name}.new`), { force: true });
    await symlink(target, at(`${name}.new`));
    await rename(at(`${name}.new`), at(name));
  };
  const idOf = (target: string) => (target.startsWith("versions/") ? basename(target) : null);
  const rootOf = (target: string) => (target.startsWith("/") ? target : at(target));

  const readTrial = async () => parseTrial((await readTextIfThere(at("trial"))) ?? "");
  const from = own === null ? root : `versions/${own}`;
  /** What can be gone back to: on trial, what it came from. */
  const previous = async (): Promise<string | null> => {
    const trial = await readTrial();
    const target = trial !== null && trial.id === own ? trial.from : await linkOf("before");
    return target === null || rootOf(target) === root || !existsSync(rootOf(target)) ? null : target;
  };

  /** @param before what is to be gone back to once the trial has ended well */
  const goOver = async (target: string, before: string | null): Promise<string> => {
    const over = await overOf(folder, root);
    if (over !== null) await writeFileAtomic(over.file, over.text);
    const trial = JSON.stringify({ id: idOf(target), from, before, key: randomUUID() } satisfies Trial & { readonly key: string });
    await rm(at("refused"), { force: true });
    const next = restart === null ? [] : [join(folder, "current", "bin", "drover"), ...restart];
    const guard = join(root, "src", "agent", "programs", "guard.sh");
    const args = [guard, folder, join(home.run, "agent.json"), String(trialS), trial, from, ...next];
    // For the launcher, which starts it again after a reboot.
    await writeFileAtomic(at("guard"), guardCommand(args));
    await writeFileAtomic(at("trial"), `${trial}\n`);
    // The guard first: nothing is gone over to that nobody would take back. Where it cannot be started, all stays as it is.
    const looker = spawn("/bin/sh", args, { cwd: "/", detached: true, stdio: "ignore" });
    looker.unref();
    await once(looker, "spawn");
    await setLink("current", target);
    await syncFolder(folder);
    log.info("goes over to another version", { from: own ?? root, to: target });
    return rootOf(target);
  };

  const giving = openGiving(root, at("giving"), log);

  return {
    state: async () => {
      const [before, trial, refused] = await Promise.all([previous(), readTrial(), readTextIfThere(at("refused"))]);
      const [refusedTrial = "", why = ""] = (refused ?? "").split("\n");
      const left = parseTrial(refusedTrial);
      return {
        id: own,
        release: await releaseOf(root),
        architecture: architectures[process.arch] ?? process.arch,
        before: before === null ? null : { id: idOf(before) },
        isOnTrial: trial !== null && trial.id === own,
        refused: left === null ? null : { id: left.id, why },
        parts: await listParts(folder),
      };
    },
    receive: (digest, content, signal) => alone("a copy", () => receivePart(folder, digest, content, signal)),
    fetch: (digest, source, signal) =>
      alone("a copy", async () => {
        const socket = await fetchPart(source, digest, signal);
        try {
          await receivePart(folder, digest, socket, signal);
        } finally {
          socket.destroy();
        }
      }),
    give: (parts, signal) => giving.give(parts, signal),
    start: ({ id, parts }) =>
      alone("an upgrade", async () => {
        const there = new Set(await listParts(folder));
        const missing = parts.filter((part) => !there.has(part));
        if (missing.length > 0 || programsId(parts) !== id)
          throw new DroverError("CONFLICT", `the parts of version "${id}" are not all there`, { hint: "Copy them first." });
        if (id === own) return null;
        const tree = at(`versions/${id}`);
        if (!existsSync(tree)) {
          await mkdir(at("versions"), { recursive: true, mode: 0o755 });
          await joinParts(folder, parts, `${tree}.new`);
          await requireStarts(`${tree}.new`);
          await rename(`${tree}.new`, tree);
        }
        return await goOver(`versions/${id}`, from);
      }),
    keep: () =>
      alone("an upgrade", async () => {
        const trial = await readTrial();
        if (trial !== null && trial.before !== null) await setLink("before", trial.before);
        await rm(at("trial"), { force: true });
        await rm(at("refused"), { force: true });
        const kept = await Promise.all([from, linkOf("current"), linkOf("before")]);
        await prune(folder, new Set(kept.flatMap((link) => (link === null ? [] : [basename(link)]))));
      }),
    back: () =>
      alone("an upgrade", async () => {
        const target = await previous();
        if (target === null)
          throw new DroverError("CONFLICT", "there is no version before this one on the machine", {
            hint: "Upgrade it to the one that you want.",
          });
        // What is not stayed with is nothing to go back to; what was is.
        const isOnTrial = (await readTrial())?.id === own;
        return await goOver(target, isOnTrial ? await linkOf("before") : from);
      }),
  };
}

/** What starts the guard from the launcher. @param args the script, and what it is started with */
export function guardCommand(args: readonly string[]): string {
  const words = args.map((text) => `'${text.replaceAll("'", "'\\''")}'`);
  return `exec setsid /bin/sh ${words.join(" ")}\n`;
}

/** What the machine went over to without anybody having said yet that it may stay. Links are as `current` has them. */
interface Trial {
  /** Null: what was installed by hand. */
  readonly id: string | null;
  readonly from: string;
  readonly before: string | null;
}

function parseTrial(text: string): Trial | null {
  const read = parseJson(text);
  if (!isRecord(read)) return null;
  const { id, from, before } = read;
  return (id === null || isText(id)) && isText(from) && (before === null || isText(before)) ? { id, from, before } : null;
}

/** What the programs in a folder call themselves. */
export async function releaseOf(root: string): Promise<string> {
  return (JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { readonly version: string }).version;
}

/** A version that cannot say what it is, for want of a library or of another processor, is never gone over to. @throws {DroverError} UNHEALTHY */
async function requireStarts(tree: string): Promise<void> {
  const child = spawn(join(tree, "bin", "drover"), ["help", "up"], { stdio: ["ignore", "ignore", "pipe"], timeout: startsWithinMs });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk}`.slice(-2_000)));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0)
    throw new DroverError("UNHEALTHY", `the version does not start there: ${said.trim().split("\n").at(-1) ?? ""}`, {
      hint: "It goes on as it is.",
    });
}
