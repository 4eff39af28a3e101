// Opens connections and holds them: arguments are the port, the host, how many, and "idle" or "websocket". Each asks once, and is answered; then it
// says { held, failed }, and at "check" how many still answer: { alive }.
import net from "node:net";

const [port = "", host = "", count = "", kind = ""] = process.argv.slice(2);
/** From one address to one port there are about 28,000 local ports. */
const perAddress = 5_000;
/** Fewer than any backlog holds. */
const atOnce = 100;
const upgrade =
  kind === "websocket"
    ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    : "";
const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n${upgrade}\r\n`;
const sockets: net.Socket[] = [];

/** Whether what came back begins as it should. */
function exchange(socket: net.Socket, text: string, start: string): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("data", (bytes) => resolve(bytes.toString("latin1").startsWith(start)));
    socket.once("close", () => resolve(false));
    socket.write(text);
  });
}

async function inBatches(total: number, one: (number: number) => Promise<boolean>): Promise<number> {
  let good = 0;
  for (let from = 0; from < total; from += atOnce) {
    const batch = Array.from({ length: Math.min(atOnce, total - from) }, (_, i) => one(from + i));
    good += (await Promise.all(batch)).filter(Boolean).length;
  }
  return good;
}

const held = await inBatches(Number(count), async (number) => {
  const socket = net.connect({ host: "127.0.0.1", port: Number(port), localAddress: `127.0.0.${2 + Math.floor(number / perAddress)}` });
  // What failed is counted by its close.
  socket.on("error", () => {});
  sockets.push(socket);
  return exchange(socket, request, kind === "websocket" ? "HTTP/1.1 101" : "HTTP/1.1 200");
});
process.send?.({ held, failed: sockets.length - held });
process.on("message", () => {
  void inBatches(sockets.length, async (i) => {
    const socket = sockets[i];
    return (
      socket !== undefined &&
      !socket.destroyed &&
      (kind === "websocket" ? exchange(socket, "ping", "ping") : exchange(socket, request, "HTTP/1.1 200"))
    );
  }).then((alive) => process.send?.({ alive }));
});
process.on("disconnect", () => process.exit());
