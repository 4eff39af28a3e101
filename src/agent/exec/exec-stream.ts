import { type Duplex, PassThrough } from "node:stream";
import { z } from "zod";
import { readJsonLines, writeJsonLines } from "#link/ndjson.ts";
import { DroverError, toErrorBody } from "#model/errors.ts";
import { type ExecInput, type ExecOutput, type ExecRequest, execSignals } from "#model/exec.ts";
import type { InstanceId, MachineId } from "#model/names.ts";
import type { Workload } from "#model/workload.ts";
import type { Engine, ExecSession } from "../engines/engine.ts";
import { isWorkload } from "../link-bodies.ts";

/** Longest line of input: the start of a command with a workload and its environment. */
const longestInputLine = 4 * 2 ** 20;
/** What a command that does not read may have waiting; signals and sizes behind it still arrive. */
const mostWaitingBytes = 256 * 1024;

const size = { columns: z.int().min(1).max(10_000), rows: z.int().min(1).max(10_000) };
const execInput = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("start"),
    request: z.strictObject({
      where: z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("instance"), instance: z.string().transform((id) => id as InstanceId) }),
        // The server made it; the engine takes it as it takes orders.
        z.strictObject({
          kind: z.literal("workload"),
          workload: z.custom<Workload>(isWorkload),
        }),
        z.strictObject({ kind: z.literal("machine"), machine: z.string().transform((id) => id as MachineId) }),
      ]),
      command: z.array(z.string().max(65_536)).max(1_000),
      terminal: z.strictObject(size).nullable(),
    }),
  }),
  z.strictObject({ kind: z.literal("input"), base64: z.base64() }),
  z.strictObject({ kind: z.literal("end") }),
  z.strictObject({ kind: z.literal("resize"), ...size }),
  z.strictObject({ kind: z.literal("signal"), signal: z.enum(execSignals) }),
]);

/**
 * Serves one command over a stream: lines of ExecInput in, the first a `start`, lines of ExecOutput out, the last an `exit` or `error`. When
 * the stream closes or the signal aborts, the command is killed. Resolves when nothing of it is left.
 */
export async function execOverStream(stream: Duplex, exec: Engine["exec"], outer: AbortSignal): Promise<void> {
  const gone = new AbortController();
  const signal = AbortSignal.any([outer, gone.signal]);
  const onClose = () => gone.abort(new Error("the caller of the command went away"));
  stream.once("close", onClose);
  stream.on("error", onClose);
  if (stream.destroyed) onClose();
  // Not the stream itself: a loop over a duplex closes both of its sides when the reading one ends.
  const input = stream.pipe(new PassThrough());
  signal.addEventListener("abort", () => input.destroy(), { once: true });
  try {
    await writeJsonLines(stream, serve(readJsonLines(input, longestInputLine), exec, signal), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stream.off("close", onClose);
    gone.abort(new Error("the command has ended"));
    if (!stream.destroyed) stream.end();
  }
}

async function* serve(lines: AsyncGenerator<unknown>, exec: Engine["exec"], outer: AbortSignal): AsyncGenerator<ExecOutput, void, void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  let session: ExecSession | null = null;
  let refused: unknown = null;
  try {
    session = await exec(await readStart(lines), signal);
    feed(lines, session, signal).catch((error: unknown) => {
      refused = error;
      stop.abort(error);
    });
    for await (const { stream, bytes } of session.output) yield { kind: "output", stream, base64: toBase64(bytes) };
    const exit = await session.exit;
    yield refused === null ? { kind: "exit", ...exit } : { kind: "error", error: toErrorBody(refused) };
  } catch (error) {
    yield { kind: "error", error: toErrorBody(error) };
  } finally {
    stop.abort(new Error("the command has ended"));
    await session?.exit;
  }
}

async function readStart(lines: AsyncGenerator<unknown>): Promise<ExecRequest> {
  const first = await lines.next();
  const input = first.done ? null : parseInput(first.value);
  if (input?.kind === "start") return input.request;
  throw new DroverError("REQUEST_INVALID", "the first line to a command has to be its start");
}

/** Hands input to the command until there is no more. Reading goes on past input that the command has not taken, up to a bound. */
async function feed(lines: AsyncGenerator<unknown>, session: ExecSession, signal: AbortSignal): Promise<void> {
  const waiting = new ByteGate(mostWaitingBytes);
  let written = Promise.resolve();
  for await (const line of lines) {
    const input = parseInput(line);
    switch (input.kind) {
      case "input": {
        const bytes = Buffer.from(input.base64, "base64");
        written = written.then(() => session.write(bytes)).finally(() => waiting.leave(bytes.length));
        // Its failure reaches whoever awaits the chain: the next piece, or the end.
        written.catch(() => {});
        await waiting.enter(bytes.length, signal);
        break;
      }
      case "end":
        await written;
        session.end();
        break;
      case "resize":
        session.resize({ columns: input.columns, rows: input.rows });
        break;
      case "signal":
        session.signal(input.signal);
        break;
      case "start":
        throw new DroverError("REQUEST_INVALID", "a command was started twice on one stream");
      default:
        input satisfies never;
    }
  }
  await written;
}

/** Lets callers pass while fewer than `most` bytes are inside, counting their own. */
class ByteGate {
  readonly #most: number;
  #inside = 0;
  #wake: (() => void) | null = null;

  constructor(most: number) {
    this.#most = most;
  }

  async enter(bytes: number, signal: AbortSignal): Promise<void> {
    this.#inside += bytes;
    const onAbort = () => this.#wake?.();
    signal.addEventListener("abort", onAbort, { once: true });
    while (this.#inside >= this.#most && !signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve));
    signal.removeEventListener("abort", onAbort);
    signal.throwIfAborted();
  }

  leave(bytes: number): void {
    this.#inside -= bytes;
    this.#wake?.();
  }
}

function parseInput(line: unknown): ExecInput {
  const parsed = execInput.safeParse(line);
  if (parsed.success) return parsed.data;
  throw new DroverError("REQUEST_INVALID", "a line to a command is none that is known", { details: z.treeifyError(parsed.error) });
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
