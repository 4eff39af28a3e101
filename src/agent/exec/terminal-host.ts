/*
 * The program that holds one terminal. A process of its own, because the file of a terminal is inherited by every process that the agent
 * starts meanwhile (the add-on does not mark it close-on-exec), and because dropping to the app's user before the terminal is made gives
 * the terminal to that user. Ends with its command, and kills it if the agent goes.
 */
import { closeSync, constants, openSync } from "node:fs";
import { createRequire } from "node:module";
import { constants as system } from "node:os";
import { ReadStream } from "node:tty";
import { hasCode } from "#model/errors.ts";
import { signalIfThere } from "./leftovers.ts";
import type { HostOrder, HostReport } from "./terminal-protocol.ts";

/** The part of the add-on that is used: its JavaScript half drops output when a paused reader is late. */
interface PtyAddOn {
  fork(
    file: string,
    args: readonly string[],
    environment: readonly string[],
    cwd: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number; readonly pty: string };
  resize(fd: number, columns: number, rows: number): void;
}

/** Stops before its first act, so that the agent can put it where it belongs, and is then continued. */
const gate = 'kill -STOP $$; exec "$@"';

function report(message: HostReport): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

function dropTo(uid: number | null, gid: number | null): void {
  if (process.getuid?.() !== 0 || uid === null) return;
  process.setgroups?.([]);
  process.setgid?.(gid ?? uid);
  process.setuid?.(uid);
}

function start({ argv, cwd, env, uid, gid, size }: Extract<HostOrder, { kind: "start" }>): (size: HostOrder["size"]) => void {
  const require = createRequire(import.meta.url);
  const addOn: PtyAddOn = require("@lydell/node-pty/requireBinary.js").requireBinary("pty.node");
  dropTo(uid, gid);
  const exited = Promise.withResolvers<HostReport>();
  const onExit = (code: number, signal: number) => exited.resolve({ kind: "exited", ...statusOf(code, signal) });
  const environment = Object.entries({ TERM: "xterm-256color", ...env }).map(([name, value]) => `${name}=${value}`);
  const args = ["-c", gate, "sh", ...argv];
  const { fd, pid, pty } = addOn.fork("/bin/sh", args, environment, cwd, size.columns, size.rows, -1, -1, false, "", onExit);
  // Held open until the exit is known: a command that closes its files before it ends (as `cat` does) would be hung up in between.
  const held = openSync(pty, constants.O_RDWR | constants.O_NOCTTY);
  const terminal = new ReadStream(fd);
  terminal.on("error", (error) => {
    // Linux says EIO, not end of file, when the last process has let go of a terminal.
    if (!hasCode(error, "EIO")) process.stderr.write(`${error.message}\n`);
    terminal.destroy();
  });
  terminal.pipe(process.stdout, { end: false });
  process.stdin.pipe(terminal, { end: false });
  process.once("disconnect", () => {
    signalIfThere(-pid, "SIGKILL");
    process.exit(1);
  });
  const closed = new Promise((resolve) => terminal.once("close", resolve));
  void report({ kind: "started", pid });
  void exited.promise.then(async (exit) => {
    await report(exit);
    closeSync(held);
    await closed;
    process.stdout.write("", () => process.exit(0));
  });
  return ({ columns, rows }) => {
    if (!terminal.destroyed) addOn.resize(fd, columns, rows);
  };
}

function statusOf(code: number, signal: number): { readonly code: number | null; readonly signal: string | null } {
  if (signal === 0) return { code, signal: null };
  const [name = `signal ${signal}`] = Object.entries(system.signals).find(([, number]) => number === signal) ?? [];
  return { code: null, signal: name };
}

let resize: ((size: HostOrder["size"]) => void) | null = null;
process.on("message", (order: HostOrder) => {
  try {
    if (order.kind === "start") resize = start(order);
    else resize?.(order.size);
  } catch (error) {
    void report({ kind: "failed", message: error instanceof Error ? error.message : String(error) }).then(() => process.exit(1));
  }
});
