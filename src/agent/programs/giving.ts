import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { PartsOffer } from "#model/programs.ts";
import { isRecord, parseJson } from "#model/shape.ts";

/** Gives parts of this machine's Drover to others that stand here. */
export interface Giving {
  /** @throws {DroverError} UNHEALTHY if they cannot be packed here */
  give(parts: readonly string[], signal: AbortSignal): Promise<PartsOffer>;
}

type Giver = { readonly port: number; readonly parts: readonly string[]; readonly offer: (line: string) => void };

/** Packing takes seconds, and a minute on a machine that is busy with everything else. */
const packsWithinMs = 50_000;

/**
 * One program for all who ask, which packs once and ends by itself: no port of it stands open without a machine that is being made or upgraded.
 * @param root of the Drover that is given away
 * @param folder for what is packed; it is emptied
 */
export function openGiving(root: string, folder: string, log: Log): Giving {
  let running: Promise<Giver> | null = null;
  const start = (): Promise<Giver> => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "giver.ts"), root, folder], { stdio: ["pipe", "pipe", "pipe"] });
    child.unref();
    const giver = opened(child);
    // One that ends late must not have its successor forgotten.
    child.once("close", () => {
      if (running === giver) running = null;
    });
    return giver;
  };
  return {
    give: async (wanted, signal) => {
      running ??= start();
      const starting = running;
      const giver = await starting.catch((error: unknown) => {
        if (running === starting) running = null;
        throw error;
      });
      signal.throwIfAborted();
      const parts = wanted.filter((part) => giver.parts.includes(part));
      const token = randomBytes(24).toString("base64url");
      giver.offer(`${JSON.stringify({ token, parts })}\n`);
      log.info("gives parts of Drover to a neighbour", { parts: parts.length, port: giver.port });
      return { port: giver.port, token, parts };
    },
  };
}

/** @throws {DroverError} UNHEALTHY */
async function opened(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<Giver> {
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk}`.slice(-2_000)));
  // Its end is told by its answer that does not come.
  child.stdin.on("error", () => undefined);
  const limit = AbortSignal.timeout(packsWithinMs);
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), "line", { signal: limit }),
    once(child, "close").then(() => [""]),
  ]).catch((error: unknown) => {
    child.kill("SIGKILL");
    if (!limit.aborted) throw error;
    return [""];
  });
  const read = parseJson(String(line));
  if (!isRecord(read) || typeof read["port"] !== "number" || !Array.isArray(read["parts"]))
    throw new DroverError("UNHEALTHY", `its own Drover cannot be packed there: ${said.trim().split("\n").at(-1) || "it took too long"}`, {
      hint: "Copy from elsewhere.",
    });
  return { port: read["port"], parts: read["parts"], offer: (text) => void child.stdin.write(text) };
}
