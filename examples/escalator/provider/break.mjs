// Breaks a part of the data centre, or of the app in it.
import { spawnSync } from "node:child_process";
import http from "node:http";
import { machine, machines, read, remove, setMachine } from "./files.mjs";

const [part, target] = process.argv.slice(2);
const { DROVER = "drover", HTTP_PORT = "8080" } = process.env;

/** The edge shares requests out, so each of a few instances has had its turn long before. */
const mostAsked = 1_000;

const parts = {
  "ping [machine]": (name = "web-1") => {
    process.kill(read(`running/${existing(name)}`).pid, "SIGKILL");
    return `${name} is dead`;
  },
  "lost [machine]": (name = "web-1") => {
    setMachine(existing(name), { ping: false });
    return `${name} answers no pings: end that with break found`;
  },
  "found [machine]": (name = "web-1") => {
    setMachine(existing(name), { ping: true });
    return `${name} answers pings again`;
  },
  "service [machine]": (name = "web-1") => {
    setMachine(existing(name), { services: false });
    return `${name} has lost its services`;
  },
  "stuck [machine]": (name = "web-1") => {
    setMachine(existing(name), { services: false, isStuck: true });
    return `${name} has lost its services, and cannot be converged: end that with break unstuck`;
  },
  "unstuck [machine]": (name = "web-1") => {
    setMachine(existing(name), { isStuck: false });
    return `${name} can be converged again`;
  },
  "pool [pool]": (name = "web") => {
    for (const one of machines()) if (one.name.startsWith(`${name}-`)) setMachine(one.name, { services: false });
    return `no machine of ${name} has its services`;
  },
  provider: () => {
    for (const one of machines()) for (const kind of ["json", "token"]) remove(`machines/${one.name}.${kind}`);
    for (const name of ["network.json", "account.json"]) remove(name);
    return "the account is closed, and everything in it is gone";
  },
  app: async () => {
    const waiting = new Set(instancesOfHello());
    for (let asked = 0; waiting.size > 0 && asked < mostAsked; asked++) waiting.delete(await breakOne());
    return "hello answers 500 until it starts anew";
  },
  release: () => {
    drover("env", "set", "hello", "BREAK=yes", "--detach");
    return "hello has a new release, which answers 500 whatever is done";
  },
};

function drover(...args) {
  const { status, stdout } = spawnSync(DROVER, [...args, "--space", "escalator"], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) process.exit(status ?? 1);
  return stdout;
}

function instancesOfHello() {
  return JSON.parse(drover("ps", "hello", "--json")).instances.flatMap(({ id, ready }) => (ready ? [id] : []));
}

/** Whichever instance the edge sends it to. Its id. */
async function breakOne() {
  const options = { host: "127.0.0.1", port: HTTP_PORT, path: "/break", headers: { host: "hello.escalator.localhost" } };
  return new Promise((resolve, reject) =>
    http.get(options, (answer) => answer.resume().on("end", () => resolve(answer.headers["x-instance"]))).on("error", reject),
  );
}

function existing(name) {
  if (machine(name) !== null) return name;
  console.error(
    `there is no machine ${name}; there are ${
      machines()
        .map(({ name: of }) => of)
        .join(", ") || "none"
    }`,
  );
  process.exit(2);
}

const found = Object.entries(parts).find(([usage]) => usage.split(" ")[0] === part);
if (found === undefined) {
  console.error(
    `usage: break PART, which is one of\n${Object.keys(parts)
      .map((usage) => `  ${usage}`)
      .join("\n")}`,
  );
  process.exit(2);
}
console.log(await found[1](target));
