// The data centre: runs the machines that were ordered, while there is an account and a network. Each is a Drover of its own, on a disk of its own, that
// has joined the one of the demo. A machine that dies stays dead until it is made anew.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { machines, make, path, read, remove, write } from "./files.mjs";

const { NET = "77", DROVER = "drover" } = process.env;
const lookMs = 50;
const ports = { ping: 7007, services: 7022 };
const running = new Map();
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => stop.abort());
for (const [name, mode] of Object.entries({ machines: 0o777, disks: 0o711, running: 0o755 })) make(name, mode);

/** Runs Drover on the disk of a machine. Out of the terminal's group: its ctrl-c is for the data centre, which then switches its machines off. */
function onDisk(disk, args) {
  const log = openSync(path(`${disk}/console`), "a");
  const env = { ...process.env, DROVER_HOME: path(disk) };
  const child = spawn(DROVER, args, { env, detached: true, stdio: ["ignore", "ignore", log] });
  closeSync(log);
  return { child, ended: once(child, "exit") };
}

function switchOn({ name, order, address, uplink }) {
  const disk = `disks/${order}`;
  make(disk, 0o711);
  const { child, ended } = onDisk(disk, [
    ...["up", "--join", uplink, "--token-file", path(`machines/${name}.token`)],
    ...["--address", address, "--http", `${address}:8080`, "--dns", "off"],
  ]);
  running.set(name, { order, disk, address, child, ended, open: new Map(), ending: null });
}

/** An orderly end, or, after an agent that was killed, the end of all that it had started. */
async function switchOff(name) {
  const { disk, order, child, ended, open } = running.get(name);
  for (const server of open.values()) server.close();
  child.kill("SIGTERM");
  await ended;
  if (child.exitCode !== 0) await onDisk(disk, ["down"]).ended;
  running.delete(name);
  remove(`running/${name}`);
  if (!machines().some((machine) => machine.order === order)) remove(disk);
}

/** What answers at a machine's address, for as long as its agent lives. */
function answer({ address, open }, port, isWanted) {
  if (isWanted === open.has(port)) return;
  if (isWanted) {
    const server = net.createServer((socket) => socket.on("error", () => socket.destroy()).end("here\n"));
    open.set(port, server.listen(port, address));
  } else {
    open.get(port).close();
    open.delete(port);
  }
}

function look() {
  const isOpen = !stop.signal.aborted && read("account.json") !== null && read("network.json") !== null;
  const ordered = new Map((isOpen ? machines() : []).filter(({ power }) => power === "on").map((machine) => [machine.name, machine]));
  for (const [name, own] of running) if (ordered.get(name)?.order !== own.order) own.ending ??= switchOff(name);
  for (const [name, machine] of ordered) {
    if (!running.has(name)) switchOn(machine);
    const own = running.get(name);
    // The one before it has the address yet.
    if (own.ending !== null) continue;
    const isAlive = own.child.exitCode === null && own.child.signalCode === null;
    const hasJoined = existsSync(path(`${own.disk}/link/membership.json`));
    answer(own, ports.ping, isAlive && machine.ping);
    answer(own, ports.services, isAlive && machine.services);
    write(`running/${name}`, { order: own.order, pid: own.child.pid, state: isAlive ? (hasJoined ? "joined" : "starting") : "dead" });
  }
}

const api = http.createServer((_, response) => {
  const isOpen = read("account.json") !== null;
  response.writeHead(isOpen ? 200 : 503).end(isOpen ? "the account is open\n" : "there is no account\n");
});
api.listen(7700, `127.${NET}.0.1`, () => console.log("the data centre is open"));
while (!stop.signal.aborted || running.size > 0) {
  look();
  await delay(lookMs);
}
process.exit();
