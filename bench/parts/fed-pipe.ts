import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";

/** A named pipe as apps print into. */
export function makePipe(file: string): string {
  execFileSync("mkfifo", ["--", file]);
  return file;
}

/** Its end that the agent reads, as the agent opens it. */
export function readEndOf(pipe: string, flags = constants.O_RDONLY): Socket {
  return new Socket({ fd: openSync(pipe, flags | constants.O_NONBLOCK), readable: true, writable: false });
}

/** `cat`s a file into the pipe: a process of its own, whose time is not that of whoever reads. Resolves when it has ended. */
export function feed(pipe: string, source: string): Promise<void> {
  const output = openSync(pipe, "w");
  const child = spawn("cat", ["--", source], { stdio: ["ignore", output, "inherit"] });
  closeSync(output);
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
