import type { ClientRequest, IncomingMessage } from "node:http";

/**
 * For whoever wants an answer and no other protocol: an answer 101 ends the connection, and is told. Node closes it too, but then neither the answer nor an
 * error ever comes, not even when the request's signal aborts.
 */
export function onUpgrade(request: ClientRequest, answered: (answer: IncomingMessage) => void): void {
  request.once("upgrade", (answer: IncomingMessage, socket) => {
    socket.destroy();
    answered(answer);
  });
}
