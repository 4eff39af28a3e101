import type { IncomingHttpHeaders } from "node:http";
import https from "node:https";
import { onUpgrade } from "#host/on-upgrade.ts";

/** Authorities answer within seconds; validation is waited for by asking again, not by one long call. */
const timeoutMs = 30_000;
/** The longest answers are chains of a few kilobytes. */
const longestAnswerBytes = 2 ** 20;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One HTTPS request. `ca` is trusted in place of the machine's authorities; null: these. @throws {Error} of the network, and when a bound is reached. */
export function request(
  method: "GET" | "HEAD" | "POST",
  url: string,
  { body, ca, signal }: { readonly body?: string; readonly ca: string | null; readonly signal: AbortSignal },
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const sent = https.request(url, {
    method,
    // Orders are seldom: a connection that was kept would mostly be a dead one.
    agent: false,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    headers: { "user-agent": "drover", ...(body === undefined ? {} : { "content-type": "application/jose+json" }) },
    ...(ca === null ? {} : { ca }),
  });
  onUpgrade(sent, (answer) => reject(new Error(`${url} answers ${answer.statusCode}`)));
  sent.on("error", reject);
  sent.on("response", (answer) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > longestAnswerBytes) answer.destroy(new Error(`the answer of ${url} is longer than ${longestAnswerBytes} bytes`));
      else chunks.push(chunk);
    });
    answer.on("error", reject);
    answer.on("end", () =>
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString("utf8") }),
    );
  });
  sent.end(body);
  return promise;
}
