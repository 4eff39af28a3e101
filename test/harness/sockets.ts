import { WebSocket } from "ws";

/** A WebSocket to an echoing app, which notes how it ended. */
export class EchoSocket {
  readonly #socket: WebSocket;
  readonly #opened = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<number>();
  closeCode: number | null = null;
  #waiting: { text: string; resolve: () => void } | null = null;

  constructor(port: number, host: string) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { host } });
    this.#socket.on("open", () => this.#opened.resolve());
    this.#socket.on("error", (error) => this.#opened.reject(error));
    this.#socket.on("message", (text) => {
      const waiting = this.#waiting;
      if (waiting !== null && waiting.text === String(text)) waiting.resolve();
    });
    this.#socket.on("close", (code) => {
      this.closeCode = code;
      this.#closed.resolve(code);
    });
    // Whoever cares awaits `opened`; a refusal must not count as unhandled for who does not.
    this.#opened.promise.catch(() => {});
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get closed(): Promise<number> {
    return this.#closed.promise;
  }

  /** @param orClosed the code with which the server may close it instead */
  echo(text: string, orClosed: number | null = null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { text, resolve };
      void this.closed.then((code) => {
        if (code === orClosed) resolve();
        else reject(new Error(`the WebSocket closed with ${code} before it echoed`));
      });
      this.#socket.send(text);
    });
  }

  close(): void {
    this.#socket.close();
  }
}
