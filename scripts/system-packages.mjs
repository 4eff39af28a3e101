// What some tests use from the system, beside Node. Installed where that can be done without asking (Debian or its like, as root);
// otherwise the tests that need them skip, each with a line that says what was not tested.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const wanted = [
  { command: "busybox", packageName: "busybox-static", for: "starting many small apps" },
  { command: "pebble", packageName: "pebble", for: "ordering certificates" },
  { command: "faketime", packageName: "faketime", for: "jumping clocks" },
  { command: "dig", packageName: "bind9-dnsutils", for: "names as other programs ask for them" },
  { command: "chromium", packageName: "chromium", for: "the web UI" },
  { command: "ping", packageName: "iputils-ping", for: "checks by icmp" },
  { command: "dnsmasq", packageName: "dnsmasq-base", for: "chains of DNS resolvers" },
];

// Debian keeps servers in /usr/sbin, which is not on everybody's path.
const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
const has = (command) => folders.some((folder) => existsSync(join(folder, command)));

export function installSystemPackages() {
  const missing = wanted.filter(({ command }) => !has(command));
  if (missing.length === 0) return;
  const names = missing.map(({ packageName }) => packageName);
  const canInstall = process.getuid?.() === 0 && has("apt-get");
  if (canInstall) {
    console.error(`setup: installing ${names.join(", ")} (apt-get)`);
    const options = { stdio: ["ignore", "ignore", "ignore"], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
    const install = () => spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], options).status === 0;
    if (install() || (spawnSync("apt-get", ["update", "-qq"], options).status === 0 && install())) return;
  }
  for (const { packageName, for: purpose } of missing) console.error(`setup: ${packageName} is not here; tests of ${purpose} skip`);
}
