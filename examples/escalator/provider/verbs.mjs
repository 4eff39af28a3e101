// What a ladder can ask of the data centre. $DROVER_VERB says what; a pool's provider lists, makes, destroys, converges and switches machines.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { machine, machines, read, remove, setMachine, write, writeSecret } from "./files.mjs";

const { DROVER_VERB: verb, DROVER_POOL: pool, DROVER_MACHINE: name = "", DROVER_POWER: power, NET } = process.env;
const { DROVER_JOIN_ADDRESS: uplink, DROVER_JOIN_TOKEN: token } = process.env;
/** A machine joins a second after it was ordered; on a busy one it may take a while. */
const joinsWithinMs = 60_000;

function fail(why) {
  console.error(`error: ${why}`);
  process.exit(1);
}

async function untilJoined() {
  const { order } = machine(name);
  for (let waited = 0; ; waited += 20) {
    const now = read(`running/${name}`);
    const state = now?.order === order ? now.state : "not started";
    if (state === "joined") return;
    if (state === "dead" || waited >= joinsWithinMs) fail(`${name} does not join, it is ${state}: disks/${order}/console says why`);
    await delay(20);
  }
}

switch (verb) {
  case "account":
    if (read("account.json") === null) write("account.json", { owner: "you" });
    console.log("the account is open");
    break;
  case "network":
    write("network.json", { web: `127.${NET}.1`, store: `127.${NET}.2` });
    console.log("every pool has its addresses");
    break;
  case "list": {
    const own = read("account.json") === null ? [] : machines().filter(({ name: of }) => of.startsWith(`${pool}-`));
    console.log(JSON.stringify({ machines: own.map(({ name: of, address, power: is }) => ({ name: of, address, power: is })) }));
    break;
  }
  case "create": {
    const network = read("network.json")?.[pool] ?? fail("there is no network");
    if (machine(name) === null) {
      const address = `${network}.${name.slice(name.lastIndexOf("-") + 1)}`;
      const order = `${name}.${randomBytes(3).toString("hex")}`;
      // As a cloud's user data, for its first start.
      writeSecret(`machines/${name}.token`, token ?? fail("no machine can join a Drover without --link"));
      setMachine(name, { address, uplink, power: "on", ping: true, services: false, order });
    }
    await untilJoined();
    console.log(`${name} runs at ${machine(name).address}, and has joined`);
    break;
  }
  case "destroy":
    for (const kind of ["json", "token"]) remove(`machines/${name}.${kind}`);
    break;
  case "converge":
    if (machine(name)?.isStuck === true) fail(`the package manager of ${name} is stuck`);
    setMachine(name, { services: true });
    await untilJoined();
    console.log(`${name} has its services`);
    break;
  case "power":
    setMachine(name, { power });
    break;
  default:
    fail(`nobody knows how to ${verb}`);
}
