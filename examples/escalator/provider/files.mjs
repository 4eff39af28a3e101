// The data centre is a folder. Everyone who looks at it sees all there is:
//   account.json           the account with the provider; none: nothing exists
//   network.json           pool → its addresses; none: no machine can start
//   machines/web-1.json    a machine that was ordered: its address, its power, where it joins, whether it pings and has its services
//   machines/web-1.token   with which it joins, for the data centre alone
//   disks/web-1.5f1e7a     what is on it, by its order: the folder of its own Drover, and what that printed
//   running/web-1          the order that runs and how it does, written by the data centre itself
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.CLOUD ?? "";
if (folder === "") throw new Error("CLOUD names the folder of the data centre");

export function path(name) {
  return join(folder, name);
}

export function read(name) {
  try {
    return JSON.parse(readFileSync(path(name), "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

/** Whoever reads it sees the old one or the new one. Everyone may write: commands run as users of their own where Drover is root. */
export function write(name, value) {
  put(name, JSON.stringify(value), 0o666);
}

/** Readable by whoever wrote it, and by the data centre: that is the same user, or root. */
export function writeSecret(name, text) {
  put(name, text, 0o600);
}

function put(name, text, mode) {
  const draft = path(`${name}.${process.pid}`);
  writeFileSync(draft, text, { mode: 0o600 });
  chmodSync(draft, mode);
  renameSync(draft, path(name));
}

export function remove(name) {
  rmSync(path(name), { recursive: true, force: true });
}

export function make(name, mode) {
  mkdirSync(path(name), { recursive: true });
  chmodSync(path(name), mode);
}

/** Names become parts of paths, and whoever may run commands here has written them. */
const isSound = ({ name, order }) => /^[a-z0-9-]+$/.test(name) && new RegExp(`^${name}\\.[0-9a-f]+$`).test(order);

export function machines() {
  return readdirSync(path("machines"))
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => read(`machines/${name}`) ?? [])
    .filter(isSound);
}

export function machine(name) {
  return read(`machines/${name}.json`);
}

export function setMachine(name, change) {
  write(`machines/${name}.json`, { ...machine(name), ...change, name });
}
