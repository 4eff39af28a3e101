import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorBody, errorCodes } from "#model/errors.ts";

/** What Node's parser refuses before there is a request: too large a head, broken framing. */
export function refuseMalformed(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const isTooLarge = error.code === "HPE_HEADER_OVERFLOW";
  const status = isTooLarge ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : errorCodes.REQUEST_INVALID.status;
  const message = isTooLarge ? "the request's head is too large" : "the request is not HTTP/1.1 as it should be";
  refuseOnSocket(socket, { code: "REQUEST_INVALID", message, hint: "Check the request's headers and framing.", details: null }, status);
}

/** An error where there is no response object; then the connection is over, whether or not the other side agrees. */
export function refuseOnSocket(socket: Duplex, body: ErrorBody, status: number = errorCodes[body.code].status): void {
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`, () => socket.destroy());
}
