import type net from "node:net";
import type { EdgeContext } from "../context.ts";
import { type ClientHello, readClientHello } from "./client-hello.ts";

/** Reads the ClientHello and puts its bytes back, for whoever has the socket next. What is none, or comes too slowly, is cut. */
export function peekClientHello(
  socket: net.Socket,
  { clock, deadlines }: Pick<EdgeContext, "clock" | "deadlines">,
  withinMs: number,
  use: (hello: ClientHello) => void,
): void {
  let seen: Buffer | null = null;
  const timed = { deadlineMs: clock.monotonicMs() + withinMs, onDeadline: () => socket.destroy() };
  const cut = () => socket.destroy();
  const leave = () => {
    deadlines.delete(timed);
    socket.off("readable", onReadable);
    socket.off("end", cut);
    socket.off("close", leave);
    socket.off("error", ignore);
  };
  const ignore = () => {}; // What broke it does not matter to anyone: "close" follows.
  const onReadable = () => {
    for (let piece: Buffer | null = socket.read(); piece !== null; piece = socket.read())
      seen = seen === null ? piece : Buffer.concat([seen, piece]);
    const hello = seen === null ? "more" : readClientHello(seen);
    if (hello === "more") return;
    leave();
    if (hello === null || seen === null) {
      socket.destroy();
      return;
    }
    socket.unshift(seen);
    use(hello);
  };
  deadlines.add(timed);
  socket.on("readable", onReadable);
  socket.on("error", ignore);
  socket.on("end", cut);
  socket.on("close", leave);
}
