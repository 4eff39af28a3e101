// An app that answers with the name in its first argument, or with what it gets for a WebSocket; says its port to whoever forked it.
import http from "node:http";
import type net from "node:net";

const name = process.argv[2] ?? "";
const server = http.createServer((_, answer) => answer.end(name));
server.keepAliveTimeout = 60_000;
server.on("upgrade", (_, socket) => {
  socket.on("error", () => {});
  socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  socket.on("data", (bytes) => socket.write(bytes));
  socket.on("end", () => socket.end());
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => process.send?.((server.address() as net.AddressInfo).port));
process.on("disconnect", () => process.exit());
