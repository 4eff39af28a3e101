import type net from "node:net";
import type { EdgeContext } from "../context.ts";
import { readProxyHeader, type Source } from "./proxy-protocol.ts";

/**
 * Takes a PROXY protocol header off the beginning of a connection and puts back what follows. Without one the connection goes on if it is
 * `optional`; else, and with a broken one, or none in the time that a request's head has, it is cut.
 */
export function takeProxyHeader(
  socket: net.Socket,
  { clock, deadlines, limits }: EdgeContext,
  presence: "optional" | "required",
  use: (source: Source | null) => void,
): void {
  let seen = Buffer.alloc(0);
  const cut = () => socket.destroy();
  const timed = { deadlineMs: clock.monotonicMs() + limits.headMs, onDeadline: cut };
  // What broke it does not matter to anyone: "close" follows.
  const ignore = () => {};
  const leave = () => {
    deadlines.delete(timed);
    socket.off("readable", onReadable);
    socket.off("end", cut);
    socket.off("close", leave);
    socket.off("error", ignore);
  };
  const onReadable = () => {
    for (let piece: Buffer | null = socket.read(); piece !== null; piece = socket.read()) seen = Buffer.concat([seen, piece]);
    if (seen.length === 0) return;
    const read = readProxyHeader(seen);
    if (read.kind === "more") return;
    leave();
    if (read.kind === "invalid" || (read.kind === "none" && presence === "required")) {
      socket.destroy();
      return;
    }
    const rest = read.kind === "header" ? seen.subarray(read.bytes) : seen;
    if (rest.length > 0) socket.unshift(rest);
    use(read.kind === "header" ? read.source : null);
  };
  deadlines.add(timed);
  socket.on("readable", onReadable);
  socket.on("error", ignore);
  socket.on("end", cut);
  socket.on("close", leave);
}
