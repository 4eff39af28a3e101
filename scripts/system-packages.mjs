// What some tests use from the system, beside Node. Installed where that can be done without asking (Debian or its like, as root);
// otherwise the tests that need them skip, each with a line that says what was not tested. Packages that would start a service where they are
// installed are only unpacked, below node_modules, which needs no right at all.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { root } from "./setup.mjs";

const wanted = [
  { command: "busybox", packageName: "busybox-static", for: "starting many small apps" },
  { command: "pebble", packageName: "pebble", for: "ordering certificates" },
  { command: "faketime", packageName: "faketime", for: "jumping clocks" },
  { command: "dig", packageName: "bind9-dnsutils", for: "names as other programs ask for them" },
  { command: "chromium", packageName: "chromium", for: "the web UI" },
  { command: "ping", packageName: "iputils-ping", for: "checks by icmp" },
  { command: "dnsmasq", packageName: "dnsmasq-base", for: "chains of DNS resolvers" },
  { command: "ssh", packageName: "openssh-client", for: "adding machines over SSH" },
  { command: "sudo", packageName: "sudo", for: "adding machines as a user with sudo" },
];

const unpacked = [
  { command: "prometheus", packageName: "prometheus", for: "being scraped by Prometheus" },
  { command: "victoria-metrics", packageName: "victoria-metrics", for: "being scraped by VictoriaMetrics" },
  { command: "sshd", packageName: "openssh-server", for: "adding machines over SSH" },
  { module: "statsd", packageName: "python3-statsd", for: "figures that statsd's own client sends" },
  {
    command: "rsyslogd",
    packageName: "rsyslog",
    // Its TLS, and the libraries that nothing else here has.
    with: ["rsyslog-openssl", "libestr0", "libfastjson4"],
    for: "sending logs to rsyslog",
  },
];
const unpackedFolder = join(root, "node_modules", ".cache", "drover-system");
/** Where the programs of unpacked packages are, for the path of tests. */
export const unpackedPath = join(unpackedFolder, "usr", "bin");

// Debian keeps servers in /usr/sbin, which is not on everybody's path.
const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", unpackedPath, join(unpackedFolder, "usr", "sbin")];
const has = (command) => folders.some((folder) => existsSync(join(folder, command)));
/** Of Python. */
const hasModule = (name) => ["/", unpackedFolder].some((base) => existsSync(join(base, "usr", "lib", "python3", "dist-packages", name)));

export function installSystemPackages() {
  unpackPackages();
  installFromPython();
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

/** What there is no package of but Python's own: OpenStack's emulator of Redfish, and the official messages of OTLP. */
const fromPython = [
  { packageName: "sushy-tools==2.2.0", file: "bin/sushy-emulator", for: "power over Redfish, but for recorded answers" },
  { packageName: "opentelemetry-proto==1.38.0", file: "opentelemetry-proto", for: "OTLP as its own schema reads it" },
];
const pythonFolder = join(root, "node_modules", ".cache", "drover-python");

function installFromPython() {
  const run = (command, args) => spawnSync(command, args, { stdio: "ignore", timeout: 120_000 }).status === 0;
  for (const { packageName, file, for: purpose } of fromPython) {
    // A package without a command leaves a file of our own, so that whether it is there is seen at once.
    if (existsSync(join(pythonFolder, file))) continue;
    console.error(`setup: installing ${packageName} (pip, in a folder of its own)`);
    const isThere =
      (existsSync(join(pythonFolder, "bin", "python")) || run("python3", ["-m", "venv", pythonFolder])) &&
      run(join(pythonFolder, "bin", "python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", packageName]);
    if (!isThere) console.error(`setup: ${packageName} is not here; tests of ${purpose} skip`);
    else if (!existsSync(join(pythonFolder, file))) writeFileSync(join(pythonFolder, file), "");
  }
}

function unpackPackages() {
  for (const { command, module, packageName, with: more = [], for: purpose } of unpacked) {
    if (module === undefined ? has(command) : hasModule(module)) continue;
    console.error(`setup: unpacking ${packageName} (apt-get download)`);
    // The command's own package last: it says that all are there.
    if (!has("apt-get") || ![...more, packageName].every(unpack))
      console.error(`setup: ${packageName} is not here; tests of ${purpose} skip`);
  }
}

function unpack(packageName) {
  const folder = mkdtempSync(join(tmpdir(), "drover-unpack-"));
  try {
    const options = { cwd: folder, stdio: "ignore" };
    if (spawnSync("apt-get", ["download", "-qq", packageName], options).status !== 0) return false;
    const [file] = readdirSync(folder);
    mkdirSync(unpackedFolder, { recursive: true });
    return file !== undefined && spawnSync("dpkg-deb", ["--extract", file, unpackedFolder], options).status === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
