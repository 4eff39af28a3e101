import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

/** A request as it came, its body unpacked. */
export interface TakenRequest {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

interface ReceiverAnswer {
  readonly status: number;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
}

/** Takes POST requests on a port of its own, and answers each as it is told to; all that were answered with success are kept. */
export class TestLogReceiver implements AsyncDisposable {
  readonly taken: TakenRequest[] = [];
  /** Of all, also of those that were refused. */
  requests = 0;
  answer: (request: TakenRequest) => ReceiverAnswer = () => ({ status: 200 });
  readonly port: number;
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param tls with which it speaks https */
  static async start(tls: { readonly key: string; readonly cert: string } | null = null): Promise<TestLogReceiver> {
    let own: TestLogReceiver | null = null;
    const listen = (request: http.IncomingMessage, response: http.ServerResponse) => own?.take(request, response);
    const server = tls === null ? http.createServer(listen) : https.createServer(tls, listen);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    own = new TestLogReceiver(server);
    return own;
  }

  /** The events of all requests that were taken, each as often as it came. */
  get events(): readonly Readonly<Record<string, unknown>>[] {
    return this.taken.flatMap(({ body }) => body.trimEnd().split("\n")).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const body = (request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString("utf8");
    const got: TakenRequest = { path: request.url ?? "", headers: request.headers, body };
    this.requests++;
    const { status, headers = {}, body: said = "" } = this.answer(got);
    if (status < 300) this.taken.push(got);
    response.writeHead(status, headers).end(said);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
