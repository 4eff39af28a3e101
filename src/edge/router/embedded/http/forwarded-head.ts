import type { RequestHead } from "./request-head.ts";

/**
 * The head that the app gets: the client's lines in their one form, and what the edge says of the request.
 * @param own lines of the edge's own, each with its CRLF
 * @param isDone whether all of the body is here, so that nobody waits to be told to send it
 */
export function forwardedHead(request: RequestHead, own: string, isDone: boolean): string {
  const { method, target, host, contentLength, isChunked, kept, expectsContinue, upgrade, takesTrailers } = request;
  return (
    `${method} ${target} HTTP/1.1\r\nhost: ${host.header}\r\n${kept}${own}x-forwarded-host: ${host.header}\r\n` +
    (contentLength >= 0 ? `content-length: ${contentLength}\r\n` : isChunked ? "transfer-encoding: chunked\r\n" : "") +
    (expectsContinue && !isDone ? "expect: 100-continue\r\n" : "") +
    (upgrade !== ""
      ? `connection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n`
      : takesTrailers
        ? "te: trailers\r\nconnection: te\r\n\r\n"
        : "\r\n")
  );
}
