// The data centre: runs the machines that were ordered, while there is an account and a network. A machine that dies stays dead until it is made anew.
import { fork } from "node:child_process";
import http from "node:http";
import { join } from "node:path";
import { machines, make, read, remove, write } from "./files.mjs";

const lookMs = 50;
const running = new Map();
for (const name of ["machines", "running"]) make(name);
const script = join(import.meta.dirname, "machine.mjs");

function stop(name) {
  running.get(name)?.child.kill("SIGKILL");
  running.delete(name);
  remove(`running/${name}`);
}

function look() {
  const isOpen = read("account.json") !== null && read("network.json") !== null;
  const ordered = new Map((isOpen ? machines() : []).filter(({ power }) => power === "on").map((machine) => [machine.name, machine]));
  for (const [name, { order }] of running) if (ordered.get(name)?.order !== order) stop(name);
  for (const [name, machine] of ordered) {
    if (!running.has(name)) {
      running.set(name, { order: machine.order, child: fork(script, [machine.address], { stdio: "ignore" }) });
      running.get(name).child.on("error", () => {});
    }
    const { child } = running.get(name);
    if (child.connected) child.send({ ping: machine.ping, services: machine.services }, () => {});
    write(`running/${name}`, { order: machine.order, pid: child.pid });
  }
}

setInterval(look, lookMs);
http
  .createServer((_, response) => {
    const isOpen = read("account.json") !== null;
    response.writeHead(isOpen ? 200 : 503).end(isOpen ? "the account is open\n" : "there is no account\n");
  })
  .listen(7700, `127.${process.env.NET ?? 77}.0.1`, () => console.log("the data centre is open"));
