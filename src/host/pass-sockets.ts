import { once } from "node:events";
import net from "node:net";
import { binding, type Handle, type PassingPipe, systemError } from "./bindings.ts";
import type { ListeningSocket } from "./listening-socket.ts";

/*
 * Sockets from one process to another that is neither its parent nor its child, over a unix socket (SCM_RIGHTS). Node does this between a parent and
 * its children alone, with a kind of pipe that nothing public makes; `process.binding` still gives it. Both ends have to be of that kind: one that
 * connects is made so, one that was accepted is opened anew by its descriptor.
 */

/** Ends what is passed. */
const end = "\n";

export interface SocketGiver {
  close(): void;
}

/**
 * Gives everyone who connects to `path` its own part in these sockets, which stay open here as well. Names hold no line break.
 * @throws {Error} with the system's code if the path cannot be listened at
 */
export async function giveSockets(
  path: string,
  sockets: () => Iterable<readonly [name: string, socket: ListeningSocket]>,
  onGiven: () => void,
): Promise<SocketGiver> {
  const { Pipe, constants } = binding("pipe_wrap");
  const server = net.createServer({ pauseOnConnect: true }, (taker) => {
    const { fd } = (taker as unknown as { readonly _handle: Handle })._handle;
    const pipe = new Pipe(constants.IPC);
    const failed = pipe.open(fd);
    // Two handles have one descriptor now. The second is closed, and the first never: the number may be somebody else's by then.
    taker.unref();
    pipe.unref();
    if (failed !== 0) return;
    void giveAll(pipe, sockets()).then((isGiven) => {
      pipe.close();
      if (isGiven) onGiven();
    });
  });
  server.listen(path);
  await once(server, "listening");
  server.unref();
  return { close: () => server.close() };
}

/** Whether all was taken, by the kernel at least. */
async function giveAll(pipe: PassingPipe, sockets: Iterable<readonly [string, ListeningSocket]>): Promise<boolean> {
  const { WriteWrap } = binding("stream_wrap");
  for (const [name, socket] of sockets) {
    const { promise, resolve } = Promise.withResolvers<number>();
    const request = new WriteWrap();
    request.oncomplete = resolve;
    const failed = pipe.writeUtf8String(request, `${name}\n`, socket);
    if (failed !== 0 || (await promise) !== 0) return false;
  }
  // Without a socket it may be written at once, and completes without a word. Whoever takes is done at the end of the stream as well.
  return pipe.writeUtf8String(new WriteWrap(), end) === 0;
}

/**
 * Takes what is given at `path`, by name. On abort, what has come until then.
 * @throws {Error} with the system's code, such as ECONNREFUSED if nobody gives there any more
 */
export async function takeSockets(path: string, signal: AbortSignal): Promise<ReadonlyMap<string, ListeningSocket>> {
  const { Pipe, PipeConnectWrap, constants } = binding("pipe_wrap");
  const attempted = `cannot take sockets at ${path}`;
  const pipe = new Pipe(constants.IPC);
  const taken = new Map<string, ListeningSocket>();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let text = "";
  const waiting: ListeningSocket[] = [];
  pipe.pendingHandle = null;
  pipe.onread = (bytes) => {
    if (pipe.pendingHandle !== null) waiting.push(pipe.pendingHandle);
    pipe.pendingHandle = null;
    if (bytes === undefined) return resolve();
    text += Buffer.from(bytes).toString("utf8");
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const name of lines) {
      const socket = waiting.shift();
      if (name === "" || socket === undefined) return resolve();
      taken.get(name)?.close();
      taken.set(name, socket);
    }
  };
  const request = new PipeConnectWrap();
  request.oncomplete = (status) => (status === 0 ? pipe.readStart() : reject(systemError(status, attempted)));
  const aborted = () => resolve();
  signal.addEventListener("abort", aborted, { once: true });
  if (signal.aborted) resolve();
  const failed = pipe.connect(request, path);
  if (failed !== 0) reject(systemError(failed, attempted));
  try {
    await promise;
    return taken;
  } finally {
    signal.removeEventListener("abort", aborted);
    for (const socket of waiting) socket.close();
    pipe.close();
  }
}
