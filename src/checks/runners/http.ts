import type { IncomingMessage, RequestOptions } from "node:http";
import type { TLSSocket } from "node:tls";
import { onUpgrade } from "#host/on-upgrade.ts";
import type { CheckTest, HttpExpectation } from "#model/check.ts";
import { formatDuration } from "#model/quantities.ts";
import { type CheckSurroundings, type Finding, failed, oneLine, passed } from "../finding.ts";
import { valueAt } from "./json-path.ts";

/** Of a body: what an expectation can be about stands early, and a check must not fill the memory. */
const longestBody = 2 ** 20;
const longestHead = 32 * 1_024;

type HttpTest = Extract<CheckTest, { kind: "http" }>;

/**
 * One request over a connection of its own, to the address that the name had when it was judged. Redirects are not followed: where they lead to was
 * not judged, and that there is one is an answer that can be expected by its status.
 */
export async function checkHttp(test: HttpTest, { resolve, clock }: CheckSurroundings, signal: AbortSignal): Promise<Finding> {
  const url = new URL(test.url);
  const isTls = url.protocol === "https:";
  const { address, family } = await resolve(url.hostname);
  const { default: http } = isTls ? await import("node:https") : await import("node:http");
  const options: RequestOptions = {
    host: address,
    family,
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method: test.method,
    // Its name, although the connection is made to the address: for the app's routing and for the certificate.
    headers: { host: url.host, "user-agent": "drover-check", accept: "*/*", ...test.headers },
    agent: false,
    maxHeaderSize: longestHead,
    signal,
    ...(isTls ? { servername: url.hostname } : {}),
  };
  let answer: Answer;
  try {
    answer = await request(http, options, test);
  } catch (error) {
    if (signal.aborted) return failed(`${test.url}: no answer in time`);
    return failed(
      `${test.url}: ${error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : String(error)}`,
    );
  }
  const problem = await judge(answer, test.expect, clock.nowMs());
  return problem === null ? passed(`${test.url} answers ${answer.status}`) : failed(`${test.url}: ${problem}`);
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly certificateEndsAtMs: number | null;
}

function request(http: Pick<typeof import("node:http"), "request">, options: RequestOptions, { body, expect }: HttpTest): Promise<Answer> {
  const wantsBody = expect.body !== null || Object.keys(expect.json).length > 0;
  return new Promise((resolve, reject) => {
    const outgoing = http.request(options, (response) => {
      const certificate = (response.socket as Partial<TLSSocket>).getPeerCertificate?.();
      const certificateEndsAtMs = certificate?.valid_to === undefined ? null : Date.parse(certificate.valid_to);
      const chunks: Buffer[] = [];
      let bytes = 0;
      const finish = () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("utf8"),
          certificateEndsAtMs,
        });
        outgoing.destroy();
      };
      if (!wantsBody) return finish();
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes >= longestBody) finish();
      });
      response.once("end", finish);
      response.once("error", reject);
    });
    onUpgrade(outgoing, ({ statusCode = 0, headers }) => resolve({ status: statusCode, headers, body: "", certificateEndsAtMs: null }));
    outgoing.once("error", reject);
    outgoing.end(body ?? undefined);
  });
}

async function judge(
  { status, headers, body, certificateEndsAtMs }: Answer,
  expect: HttpExpectation,
  nowMs: number,
): Promise<string | null> {
  const isExpected = expect.status.length === 0 ? status >= 200 && status < 400 : expect.status.includes(status);
  if (!isExpected) return `answered ${status}, not ${expect.status.length === 0 ? "200 to 399" : expect.status.join(" or ")}`;
  for (const [name, wanted] of Object.entries(expect.headers)) {
    const found = headers[name.toLowerCase()];
    if (found !== wanted) return `header ${name} is ${found === undefined ? "missing" : `"${oneLine(String(found))}"`}, not "${wanted}"`;
  }
  if (expect.body !== null && !(await import("./pattern.ts")).occursIn(expect.body, body)) return `the body does not match ${expect.body}`;
  const json = Object.entries(expect.json);
  if (json.length > 0) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(body);
    } catch {
      // What it is instead is the finding.
      return `the body is not JSON: "${oneLine(body.slice(0, 80))}"`;
    }
    for (const [path, wanted] of json) {
      const found = valueAt(parsed, path);
      if (found !== wanted) return `${path} is ${oneLine(JSON.stringify(found) ?? "missing")}, not ${JSON.stringify(wanted)}`;
    }
  }
  if (expect.tlsLeftMs !== null) {
    if (certificateEndsAtMs === null) return "there is no certificate";
    const leftMs = certificateEndsAtMs - nowMs;
    if (leftMs < expect.tlsLeftMs) return `the certificate ends in ${roughly(leftMs)}, wanted at least ${formatDuration(expect.tlsLeftMs)}`;
  }
  return null;
}

/** As people say it: whole days, or below two of them whole hours or minutes. */
function roughly(ms: number): string {
  if (ms < 60_000) return "less than 1m";
  const unitMs = [86_400_000, 3_600_000].find((one) => ms >= 2 * one) ?? 60_000;
  return formatDuration(Math.floor(ms / unitMs) * unitMs);
}
