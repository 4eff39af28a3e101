// What a ladder can ask of the data centre. $DROVER_VERB says what; a pool's provider lists, makes, destroys, converges and switches machines.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { machine, machines, read, remove, setMachine, write } from "./files.mjs";

const { DROVER_VERB: verb, DROVER_POOL: pool, DROVER_MACHINE: name = "", DROVER_POWER: power, NET } = process.env;
/** The data centre looks twenty times a second; on a busy machine it may take a while to come to it. */
const startsWithinMs = 30_000;

function fail(why) {
  console.error(`error: ${why}`);
  process.exit(1);
}

async function untilRuns() {
  const { order } = machine(name);
  for (let waited = 0; read(`running/${name}`)?.order !== order; waited += 20) {
    if (waited >= startsWithinMs) fail(`the data centre does not start ${name}`);
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
      setMachine(name, { address, power: "on", ping: true, services: false, order: randomUUID() });
    }
    await untilRuns();
    console.log(`${name} runs at ${machine(name).address}`);
    break;
  }
  case "destroy":
    remove(`machines/${name}.json`);
    break;
  case "converge":
    if (machine(name)?.isStuck === true) fail(`the package manager of ${name} is stuck`);
    setMachine(name, { services: true });
    await untilRuns();
    console.log(`${name} has its services`);
    break;
  case "power":
    setMachine(name, { power });
    break;
  default:
    fail(`nobody knows how to ${verb}`);
}
