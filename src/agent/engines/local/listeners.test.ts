import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { heldSockets, isHeld, listenersOn, parseListeners, programName } from "./listeners.ts";

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (address: string, state: string) =>
  `   0: ${address} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 777 1 0\n`;

test("a listener counts as reachable on 127.0.0.1 and on all addresses, and not on another one", () => {
  const reachable = (address: string) => parseListeners(header + line(`${address}:1F90`, "0A"))[0]?.reachable;
  assert.equal(reachable("0100007F"), true);
  assert.equal(reachable("00000000"), true);
  assert.equal(reachable("00000000000000000000000000000000"), true);
  assert.equal(reachable("00000000000000000000000001000000"), false);
  assert.equal(reachable("0200000A"), false);
});

test("connections are no listeners", () => {
  assert.deepEqual(parseListeners(header + line("0100007F:1F90", "01")), []);
});

test("the owner of a listening port is found by its socket", async (t) => {
  const server = net.createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const [found] = listenersOn(port) ?? [];
  assert.ok(found);
  const held = heldSockets([process.pid]).get(found.inode);
  assert.ok(held);
  assert.equal(isHeld(held), true);
  server.close();
  await once(server, "close");
  assert.equal(isHeld(held), false);
  assert.deepEqual([...(listenersOn(port) ?? [])], []);
});

test("a listener on all addresses of both kinds is found", async (t) => {
  const server = net.createServer().listen(0, "::");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  assert.deepEqual(
    [...(listenersOn(port) ?? [])].map(({ reachable }) => reachable),
    [true],
  );
});

test("whoever holds a port is named by its program, and by its script where the program is an interpreter", () => {
  assert.equal(programName(["/usr/sbin/nginx", "-g", "daemon off;"]), "nginx");
  assert.equal(programName(["/opt/node/bin/node", "--max-semi-space-size=4", "/srv/shop/server.js", "x"]), "node server.js");
  assert.equal(programName(["python3", "-m", "http.server", "80"]), "python3 http.server");
  assert.equal(programName(["/n/node", "--x", "/opt/drover/src/edge/main.ts"]), "drover edge");
  assert.equal(programName(["node"]), "node");
  assert.equal(programName([""]), "");
});
