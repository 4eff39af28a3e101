import net from "node:net";

/** HAProxy answers within microseconds; a process that takes this long is not going to. */
const answerWithinMs = 5_000;
/** `> ` at the start of a line: the next command may come. */
const prompt = "\n> ";

interface Asked {
  readonly command: string;
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * A connection to the control socket of one HAProxy process, kept open: a process that is being replaced closes its sockets, and only who is connected
 * already can still ask it what it has open. It ends once this connection is closed too.
 */
export class Control {
  /** Resolves when the connection is gone: the process has ended, or nobody can tell it anything any more. */
  readonly closed: Promise<void>;
  readonly #socket: net.Socket;
  readonly #asked: Asked[] = [];
  #text = "";

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => this.#onText(chunk));
    // "close" follows and says it all.
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const { reject, timer } of this.#asked.splice(0)) {
        clearTimeout(timer);
        reject(new Error("HAProxy closed its control socket"));
      }
      resolve();
    });
  }

  /** @throws {Error} of `connect`. */
  static async connect(path: string): Promise<Control> {
    const socket = net.connect({ path });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const control = new Control(socket);
    await control.ask("prompt");
    return control;
  }

  /** One command, of one line or with a payload; resolves with what it printed. @throws {Error} if there is no answer. */
  ask(command: string): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    if (this.#socket.destroyed) return Promise.reject(new Error("HAProxy closed its control socket"));
    const timer = setTimeout(() => this.#socket.destroy(), answerWithinMs * (this.#asked.length + 1));
    timer.unref();
    this.#asked.push({ command, resolve, reject, timer });
    this.#socket.write(`${command}\n`);
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #onText(chunk: string): void {
    this.#text += chunk;
    for (;;) {
      const end = this.#text.indexOf(prompt);
      const next = end === -1 ? undefined : this.#asked.shift();
      if (next === undefined) return;
      const answer = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + prompt.length);
      clearTimeout(next.timer);
      // A payload is asked for with `+ `.
      next.resolve(answer.replace(/^(?:\+ )+/, "").trim());
    }
  }
}
