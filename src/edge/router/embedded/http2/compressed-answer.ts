import type { ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { type Coding, Compressor, planCompression } from "../policy/compression.ts";

export interface PlannedAnswer {
  readonly headers: OutgoingHttpHeaders;
  /** Null: the body passes as it is. */
  readonly coding: Coding | null;
  /** Whether nobody knows the body's length: then it may be made while it is sent. */
  readonly isOpenEnded: boolean;
}

/** An answer's headers as the client gets them, by the same rules as over HTTP/1. @param requestLines the request's header lines */
export function planAnswer(
  requestLines: string,
  status: number,
  received: IncomingHttpHeaders,
  headers: OutgoingHttpHeaders,
): PlannedAnswer {
  const length = received["content-length"];
  const isOpenEnded = length === undefined;
  const plan = planCompression(requestLines, { status, contentLength: length === undefined ? -1 : Number(length), kept: linesOf(headers) });
  return { headers: plan === null ? headers : headersOf(plan.lines), coding: plan?.coding ?? null, isOpenEnded };
}

export interface CompressedAnswerUser {
  /** So many bytes came from the app. */
  onTaken(bytes: number): void;
  /** So many go to the client. */
  onSent(bytes: number): void;
  onFailed(): void;
}

/** Compresses an app's body on its way to the client, with back-pressure both ways. Whoever made it destroys it when the client's stream closes. */
export function compressAnswer(
  from: ClientHttp2Stream,
  to: ServerHttp2Stream,
  { coding, isOpenEnded }: { readonly coding: Coding; readonly isOpenEnded: boolean },
  user: CompressedAnswerUser,
): Compressor {
  const compressor = new Compressor(coding, isOpenEnded, {
    onCompressed: (piece) => {
      user.onSent(piece.length);
      return to.destroyed || to.write(piece);
    },
    onCompressedEnd: () => {
      if (!to.destroyed) to.end();
    },
    onCompressDrain: () => from.resume(),
    onCompressFailed: () => user.onFailed(),
  });
  to.on("drain", () => compressor.resume());
  from.on("data", (bytes: Buffer) => {
    user.onTaken(bytes.length);
    if (!compressor.write(bytes)) from.pause();
  });
  // What was reset has an end too, but none that the client may take for a whole message.
  from.on("end", () => {
    if (from.rstCode === 0) compressor.end();
  });
  return compressor;
}

function linesOf(headers: OutgoingHttpHeaders): string {
  return Object.entries(headers)
    .flatMap(([name, value]) => [value ?? []].flat().map((one) => `${name}: ${one}\r\n`))
    .join("");
}

function headersOf(lines: string): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (const line of lines.split("\r\n").slice(0, -1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const known = headers[name];
    headers[name] = known === undefined ? value : [known, value].flat();
  }
  return headers;
}
