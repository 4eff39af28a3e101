import http from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import { onUpgrade } from "#host/on-upgrade.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { Clock } from "#model/clock.ts";
import { untilAborted } from "#model/until-aborted.ts";
import { failed, type Outcome, oneLine, taken } from "./receiver.ts";

/** A receiver that is up takes a batch of some hundred kilobytes within a moment; one that takes longer is overloaded, and is left alone for a while. */
const deadlineMs = 30_000;
/** An answer to each event of a batch is a hundred bytes or two. */
const longestAnswerBytes = 4 * 2 ** 20;
/** Connections that are kept between batches; as many as there are batches under way. */
const mostConnections = 4;
/** Whoever asks to be left alone for longer is asked again all the same. */
const longestRetryAfterMs = 3_600_000;

export interface PostAnswer {
  readonly status: number;
  readonly retryAfterMs: number | null;
  readonly body: string;
}

export interface PostOptions {
  readonly url: URL;
  /** PEM; null: the machine's authorities. */
  readonly ca: string | null;
  readonly resolve: ResolveOutgoing;
  readonly clock: Clock;
}

/** POST requests to one receiver over connections that are kept. Redirects are not followed, because where they lead to was not judged. */
export class Poster {
  readonly #options: PostOptions;
  readonly #agent: http.Agent;

  constructor(options: PostOptions) {
    this.#options = options;
    const keeping = { keepAlive: true, maxSockets: mostConnections, maxFreeSockets: mostConnections };
    this.#agent = options.url.protocol === "https:" ? new https.Agent(keeping) : new http.Agent(keeping);
  }

  /** @throws what the system or the signal says */
  async post(body: Uint8Array, headers: Readonly<Record<string, string>>, parent: AbortSignal): Promise<PostAnswer> {
    const { url, ca, resolve } = this.#options;
    const signal = AbortSignal.any([parent, AbortSignal.timeout(deadlineMs)]);
    const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
    const { address, family } = await untilAborted(resolve(url.hostname), signal);
    const isTls = url.protocol === "https:";
    const options: https.RequestOptions = {
      host: address,
      family,
      port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
      path: `${url.pathname}${url.search}`,
      method: "POST",
      headers: { ...headers, host: url.host, "user-agent": "drover", "content-length": body.byteLength },
      agent: this.#agent,
      signal,
      ...(isTls && isIP(name) === 0 ? { servername: name } : {}),
      ...(ca === null ? {} : { ca }),
    };
    return new Promise((done, fail) => {
      const request = (isTls ? https : http).request(options, (response) => {
        readAnswer(response, this.#options.clock).then(done, fail);
      });
      onUpgrade(request, ({ statusCode = 0 }) => done({ status: statusCode, retryAfterMs: null, body: "" }));
      request.on("error", (error) =>
        fail(signal.aborted && !parent.aborted ? new Error(`no answer within ${deadlineMs / 1_000} s`) : error),
      );
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readAnswer(response: http.IncomingMessage, clock: Clock): Promise<PostAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > longestAnswerBytes) throw new Error(`its answer is longer than ${longestAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  const { statusCode = 0, headers } = response;
  return {
    status: statusCode,
    retryAfterMs: retryAfter(headers["retry-after"], clock.nowMs()),
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

/** Seconds or a date (RFC 9110, 10.2.3); null where it is neither. */
function retryAfter(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(longestRetryAfterMs, Math.max(0, ms));
}

/**
 * What a status says of the events that were sent. 400, 413 and 422 are about what was sent, so the same would be refused again; whatever else is
 * no success is about the receiver, or about how it is spoken to, and people can mend that: until then nothing is lost.
 */
export function judge({ status, retryAfterMs, body }: PostAnswer): Outcome {
  if (status >= 200 && status < 300) return taken;
  const said = oneLine(body);
  const why = `answered ${status}${status >= 300 && status < 400 ? ", and redirects are not followed" : said === "" ? "" : `: ${said}`}`;
  return status === 400 || status === 413 || status === 422 ? { kind: "refused", why } : failed(why, retryAfterMs);
}
