// The data centre is a folder. Everyone who looks at it sees all there is:
//   account.json           the account with the provider; none: nothing exists
//   network.json           pool → its addresses; none: no machine can start
//   machines/web-1.json    a machine that was ordered: its address, its power, whether it pings and has its services
//   running/web-1          the order that runs, written by the data centre itself
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.CLOUD ?? "";
if (folder === "") throw new Error("CLOUD names the folder of the data centre");

export function read(name) {
  try {
    return JSON.parse(readFileSync(join(folder, name), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

/** Whoever reads it sees the old one or the new one. Everyone may write: commands run as users of their own where Drover is root. */
export function write(name, value) {
  const draft = join(folder, `${name}.${process.pid}`);
  writeFileSync(draft, JSON.stringify(value));
  chmodSync(draft, 0o666);
  renameSync(draft, join(folder, name));
}

export function remove(name) {
  rmSync(join(folder, name), { force: true });
}

export function make(name) {
  mkdirSync(join(folder, name), { recursive: true });
  chmodSync(join(folder, name), 0o777);
}

export function machines() {
  return readdirSync(join(folder, "machines"))
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => read(`machines/${name}`) ?? []);
}

export function machine(name) {
  return read(`machines/${name}.json`);
}

export function setMachine(name, change) {
  write(`machines/${name}.json`, { ...machine(name), ...change, name });
}
