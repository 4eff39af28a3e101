/** A WebSocket that echoes once in a while and notes when and how it ended; the client is Node's own. */
export class EchoSocket {
  readonly #socket: WebSocket;
  readonly #opened = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<number>();
  readonly openedAtMs = performance.now();
  closedAtMs: number | null = null;
  closeCode: number | null = null;
  #waiting: { text: string; resolve: () => void } | null = null;

  constructor(port: number, host: string) {
    // A `Host` header cannot be set by browsers, but names below localhost reach this machine anyway.
    this.#socket = new WebSocket(`ws://${host}:${port}/ws`);
    this.#socket.addEventListener("open", () => this.#opened.resolve());
    this.#socket.addEventListener("error", () => this.#opened.reject(new Error("the WebSocket did not open")));
    this.#socket.addEventListener("message", ({ data }) => {
      const waiting = this.#waiting;
      if (waiting !== null && waiting.text === data) waiting.resolve();
    });
    this.#socket.addEventListener("close", ({ code }) => {
      this.closedAtMs = performance.now();
      this.closeCode = code;
      this.#closed.resolve(code);
    });
    // Whoever cares awaits `opened`; a refusal must not count as unhandled for who does not.
    this.#opened.promise.catch(() => this.closeCode);
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get closed(): Promise<number> {
    return this.#closed.promise;
  }

  echo(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { text, resolve };
      void this.closed.then(() => reject(new Error(`the WebSocket closed with ${this.closeCode} before it echoed`)));
      this.#socket.send(text);
    });
  }

  close(): void {
    this.#socket.close();
  }
}
