import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import type { WebSocket } from "ws";
import type { ExecTicket } from "#model/api.ts";
import { DroverError, fromErrorBody } from "#model/errors.ts";
import type { ExecInput, ExecOutput, ExecSignal, TerminalSize } from "#model/exec.ts";
import { openSocket } from "../api/socket.ts";
import type { Session } from "../command.ts";

export interface InsideOptions {
  /** Of the API: what gives the ticket. */
  readonly path: string;
  /** What it is asked for besides the command and the terminal. */
  readonly where: Readonly<Record<string, unknown>>;
  /** Empty: a shell. */
  readonly command: readonly string[];
  /** False: no terminal, even where there is one. */
  readonly wantsTerminal: boolean;
}

/** Input that is not yet sent; beyond it, reading stops until the server has taken some. */
const mostUnsentBytes = 2 ** 20;
/** A second signal within this time means: end at once, whatever the command does. */
const impatienceMs = 2_000;

/**
 * Runs a command inside and connects it with this terminal, or with what standard input and output are. Answers its exit code (128 and the
 * signal's number if a signal ended it). The terminal is as it was on every way out.
 */
export async function runInside(session: Session, options: InsideOptions): Promise<number> {
  const { api, terminal, signal, out } = session;
  const isTerminal = options.wantsTerminal && !out.json && terminal.input.isTTY === true && terminal.output.isTTY === true;
  const { path, where, command } = options;
  const body = { command, terminal: isTerminal ? sizeOf(terminal.output) : null, ...where };
  const ticket = await api.call<ExecTicket>("POST", path, signal, { body });
  const socket = await openSocket(api, `/v1/exec/${encodeURIComponent(ticket.ticket)}`, signal);
  try {
    return await connect(session, socket, isTerminal);
  } finally {
    socket.terminate();
  }
}

async function connect(session: Session, socket: WebSocket, isTerminal: boolean): Promise<number> {
  const { terminal, interrupts, clock } = session;
  const { input, output } = terminal;
  const send = (message: ExecInput) => socket.readyState === socket.OPEN && socket.send(JSON.stringify(message));
  const ended = Promise.withResolvers<number>();

  let signalledMs = Number.NEGATIVE_INFINITY;
  using _signals = interrupts.take((signal) => {
    if (clock.monotonicMs() - signalledMs < impatienceMs) ended.resolve(exitOfSignal(signal));
    signalledMs = clock.monotonicMs();
    send({ kind: "signal", signal: signal satisfies ExecSignal });
  });
  using _raw = isTerminal ? rawMode(input) : null;
  const onResize = () => send({ kind: "resize", ...sizeOf(output) });
  if (isTerminal) output.on("resize", onResize);

  const onInput = (chunk: Buffer) => {
    send({ kind: "input", base64: chunk.toString("base64") });
    if (socket.bufferedAmount <= mostUnsentBytes) return;
    input.pause();
    const look = setInterval(() => {
      if (socket.bufferedAmount > mostUnsentBytes && socket.readyState === socket.OPEN) return;
      clearInterval(look);
      input.resume();
    }, 10);
  };
  const onEnd = () => send({ kind: "end" });
  input.on("data", onInput);
  input.once("end", onEnd);

  socket.on("message", (frame) => {
    try {
      onOutput(session, socket, JSON.parse(String(frame)) as ExecOutput, ended);
    } catch (error) {
      ended.reject(error);
    }
  });
  socket.on("error", (error) => ended.reject(broken(error)));
  socket.on("close", () => ended.reject(broken(null)));
  socket.resume();
  try {
    return await ended.promise;
  } finally {
    output.off("resize", onResize);
    input.off("data", onInput);
    input.off("end", onEnd);
    // Left open it would keep this process alive.
    input.pause();
    input.unref?.();
  }
}

function onOutput(session: Session, socket: WebSocket, message: ExecOutput, ended: PromiseWithResolvers<number>): void {
  if (session.out.json) session.out.streamed(message);
  switch (message.kind) {
    case "output": {
      if (session.out.json) return;
      const stream = message.stream === "stderr" ? session.terminal.error : session.terminal.output;
      if (stream.write(Buffer.from(message.base64, "base64"))) return;
      socket.pause();
      stream.once("drain", () => socket.resume());
      return;
    }
    case "exit":
      ended.resolve(message.code ?? exitOfSignal(message.signal));
      return;
    case "error":
      ended.reject(fromErrorBody(message.error));
      return;
    default:
      message satisfies never;
  }
}

/** Keys go to the command as they are typed, until disposed of; also when the process ends some other way. */
function rawMode(input: NodeJS.ReadStream): Disposable {
  const restore = () => void input.setRawMode(false);
  input.setRawMode(true);
  // Node leaves the terminal turning each line feed into carriage return and line feed, which shifts every full-screen program. Where there is no
  // stty to tell it otherwise, those look odd and all else works. Going back to the normal mode puts this back too.
  spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"], timeout: 1_000 });
  process.once("exit", restore);
  return {
    [Symbol.dispose]: () => {
      process.off("exit", restore);
      restore();
    },
  };
}

function sizeOf(output: NodeJS.WriteStream): TerminalSize {
  return { columns: output.columns || 80, rows: output.rows || 24 };
}

function exitOfSignal(signal: string | null): number {
  return 128 + (signal !== null && signal in constants.signals ? constants.signals[signal as NodeJS.Signals] : 0);
}

function broken(cause: unknown): DroverError {
  return new DroverError("SERVER_UNREACHABLE", "the connection to the command broke", {
    ...(cause === null ? {} : { cause }),
    hint: "The command was ended with it. Run it again.",
  });
}
