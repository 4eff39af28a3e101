// One machine: it answers pings on port 7007 of its address, and has its services on port 7022 once it was converged.
import net from "node:net";

const [address] = process.argv.slice(2);
const open = new Map();

function set(port, isWanted) {
  if (isWanted === open.has(port)) return;
  if (isWanted) {
    const server = net.createServer((socket) => socket.on("error", () => socket.destroy()).end("here\n"));
    open.set(port, server.listen(port, address));
  } else {
    open.get(port).close();
    open.delete(port);
  }
}

process.on("message", ({ ping, services }) => {
  set(7007, ping);
  set(7022, services);
});
// Without its data centre there is no machine.
process.on("disconnect", () => process.exit());
