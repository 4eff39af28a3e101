import assert from "node:assert/strict";
import { appendFile, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Finished, TestDrover } from "../harness/drover.ts";
import { isLinked } from "../harness/fleet.ts";
import type { Host } from "../harness/hosts.ts";
import { makeVersion } from "../harness/other-version.ts";
import { runOn, SshHosts, whyNoSshHosts } from "../harness/ssh-hosts.ts";

const why = whyNoSshHosts();
const skip = why === null ? false : `adding machines over SSH was not tried: ${why}`;

const web = "require('http').createServer((q, s) => s.end(process.env.DROVER_INSTANCE)).listen(process.env.PORT)";
const manifest = `app: hello\nrun: exec node -e "${web}"\ninstances: 3\nstop: { drain: 1s, grace: 1s }\n`;

/** As much of systemd as the command uses: it starts and stops what a unit says. */
const systemctl = `#!/bin/sh
unit=/etc/systemd/system/drover.service
case $1 in
  start) setsid $(sed -n 's/^ExecStart=//p' $unit) </dev/null >/dev/null 2>&1 & ;;
  disable) DROVER_HOME=/var/lib/drover $(sed -n 's/^ExecStop=//p' $unit) ;;
esac
echo "$*" >>/root/systemctl.log
`;

interface Fleet {
  readonly hosts: SshHosts;
  readonly first: TestDrover;
  /** `drover machine …` on the host that the server runs on. */
  readonly machine: (...args: string[]) => Promise<Finished>;
}

/** The server on h1, bare hosts beside it. Shared by the tests, because starting it and packing Drover take most of their time. */
async function setUp(): Promise<Fleet & AsyncDisposable> {
  await using made = new AsyncDisposableStack();
  const hosts = made.use(await SshHosts.up(7));
  const on = hosts.get("h1");
  const first = made.use(await TestDrover.prepare({ host: on }));
  await first.up(["--link", `${on.address}:7374`]);
  const kept = made.move();
  return { hosts, first, machine: (...args) => first.cli(["machine", ...args], { on }), [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

let fleet: (Fleet & AsyncDisposable) | null = null;

before(async () => {
  if (why === null) fleet = await setUp();
});

after(() => fleet?.[Symbol.asyncDispose]());

function requireFleet(): Fleet {
  if (fleet === null) throw new Error("there are no hosts");
  return fleet;
}

function readyOn(ps: string): readonly string[] {
  const { instances } = JSON.parse(ps) as { readonly instances: readonly { readonly machine: string; readonly ready: boolean }[] };
  return instances
    .filter(({ ready }) => ready)
    .map(({ machine }) => machine)
    .sort();
}

/** Everything that the command wrote about hosts. */
async function logsOf(first: TestDrover): Promise<string> {
  const folder = join(first.home, "ssh", "log");
  const texts = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), "utf8")));
  return texts.join("");
}

test("bare hosts become machines that run an app, the one that failed with --retry from where its copy was cut off, and are bare again after all", {
  skip,
}, async () => {
  const { hosts, first, machine } = requireFleet();
  const [h2, h3, jump] = [await hosts.serve("h2"), hosts.get("h3"), await hosts.serve("h4", 20)];
  runOn(h2, `mkdir -p /run/systemd/system; cat >/usr/local/bin/systemctl <<'EOF'\n${systemctl}EOF\nchmod 755 /usr/local/bin/systemctl`);
  const list = await first.file("hosts", `asked@${h2.address} zone=a   # has systemd\nm3=free@${h3.address} zone=b\n`);
  const password = await first.file("password", `${SshHosts.password}\n`, 0o600);
  const ways = ["--identity", hosts.identity, "--jump", `root@${jump.address}`];

  const added = await machine("add", "--file", list, ...ways, "--sudo-password-file", password);
  assert.equal(added.code, 1, added.stderr);
  assert.match(added.stdout, new RegExp(`asked@${h2.address} +h2 +joined in .*\\nfree@${h3.address} +- +failed\\n`));
  assert.match(added.stderr, new RegExp(`the key of ${h2.address} is pinned now, as it was not known: ssh-ed25519 SHA256:`));
  assert.match(added.stderr, /nothing listens for SSH there {3}\[SSH_FAILED\]\n {2}Start its SSH server/);
  assert.match(added.stderr, /1 of 2 hosts did not become machines {3}\[HOSTS_FAILED\]/);
  assert.match(runOn(h2, "cat /root/systemctl.log"), /daemon-reload\nenable drover\nstart drover\n/);

  await hosts.serve("h3");
  const cutAt = await plantPart(first, h3);
  plantVersions(h3);
  const again = await machine("add", "--retry");
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stderr, /has no systemd: its agent runs, and nothing starts it again/);
  const log = await readFile(join(first.home, "ssh", "log", `free@${h3.address}.log`), "utf8");
  assert.match(log, new RegExp(`> receive [0-9a-f]{64} \\d+ ${cutAt}\\n`));
  assert.equal(
    runOn(h3, "cd /opt/drover; ls -d versions/* parts/000? incoming/* before/f 2>/dev/null | sed s,versions/[a-f0-9]*$,version,"),
    "before/f\nparts/0002\nversion\nversion\n",
  );

  const machines = JSON.parse(await first.run("machine", "ls", "--json")).machines as { id: string; labels: unknown }[];
  assert.deepEqual(
    machines.map(({ id, labels }) => [id, labels]),
    [
      ["h1", {}],
      ["h2", { zone: "a" }],
      ["m3", { zone: "b" }],
    ],
  );
  await first.apply(manifest);
  assert.deepEqual(readyOn(await first.run("ps", "hello", "--json")), ["h1", "h2", "m3"]);

  const once = await machine("add", `m3=free@${h3.address}`, ...ways);
  assert.match(once.stderr, /is machine "m3"/);
  const secrets = (await logsOf(first)) + added.stdout + added.stderr + again.stderr;
  assert.doesNotMatch(secrets, /drv_join_|open sesame/);

  const busy = await machine("remove", "m3", "--uninstall", "--yes");
  assert.match(busy.stderr, /"m3" runs .* \[CONFLICT\]/);
  assert.equal(await isLinked(first, "m3"), true);
  runOn(h3, "mkdir -p /var/lib/drover/agent/volumes/shop && touch /var/lib/drover/agent/volumes/shop/orders");
  const gone = await machine("remove", "m3", "--uninstall", "--force", "--yes");
  assert.equal(gone.code, 0, gone.stderr);
  assert.match(gone.stdout, /Drover is gone from free@.*, but for the volumes in \/var\/lib\/drover\/agent\/volumes/);
  assert.equal(
    runOn(h3, "cd /var/lib/drover; find . -type f; ls -d /opt/drover /usr/local/bin/drover 2>&1 || true; pgrep -fc agent/main.ts || true"),
    "./agent/volumes/shop/orders\nls: cannot access '/opt/drover': No such file or directory\nls: cannot access '/usr/local/bin/drover': No such file or directory\n0\n",
  );
  const other = await machine("remove", "h2", "--uninstall", "--force", "--yes", "--sudo-password-file", password);
  assert.equal(other.code, 0, other.stderr);
  assert.equal(runOn(h2, "ls -d /var/lib/drover /opt/drover /etc/systemd/system/drover.service 2>/dev/null || true"), "");
});

/** As a copy leaves it that was cut off in the largest part. @returns how many bytes of it are there */
async function plantPart(first: TestDrover, host: Host): Promise<number> {
  const folder = join(first.home, "ssh", "parts");
  const parts = await Promise.all((await readdir(folder)).map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size })));
  const [{ name, bytes } = { name: "", bytes: 0 }] = parts.sort((a, b) => b.bytes - a.bytes);
  const digest = /-([0-9a-f]{64})\.tar\.gz$/.exec(name)?.[1];
  assert.ok(digest !== undefined);
  const cutAt = bytes - 1_000_000;
  runOn(
    host,
    `mkdir -p /opt/drover/incoming; touch /opt/drover/.machine-add; head -c ${cutAt} '${join(folder, name)}' >/opt/drover/incoming/${digest}.part`,
  );
  return cutAt;
}

/** What two older versions and a copy that was cut off leave: the current one of them is the one to go back to. */
function plantVersions(host: Host): void {
  runOn(
    host,
    `cd /opt/drover; for n in 1 2; do mkdir -p versions/000$n parts/000$n; echo $n >parts/000$n/f; ln parts/000$n/f versions/000$n/f; done
    ln -s versions/0002 current; mkdir -p versions/0003.new incoming/0003.tree; touch incoming/0003.part`,
  );
}

test("of hosts that stand beside each other one is sent Drover, and gives it to the others; one that cannot reach them is sent all of it", {
  skip,
}, async () => {
  const { hosts, machine } = requireFleet();
  for (const name of ["h5", "h6", "h7"]) await hosts.serve(name);
  const add = async (...names: readonly string[]) => {
    const targets = names.map((name) => `root@${hosts.get(name).address}`);
    const { code, stdout, stderr } = await machine("add", ...targets, "--identity", hosts.identity, "--json");
    assert.equal(code, 0, stderr);
    const added: readonly { readonly sentBytes: number; readonly nearBytes: number }[] = JSON.parse(stdout).hosts;
    return added.map(({ sentBytes, nearBytes }) => ({ sentBytes, nearBytes })).sort((a, b) => b.sentBytes - a.sentBytes);
  };
  const [one, other] = await add("h5", "h6");
  assert.ok(one !== undefined && other !== undefined);
  assert.equal(one.nearBytes, 0);
  assert.equal(other.sentBytes + other.nearBytes, one.sentBytes);
  assert.ok(other.sentBytes < one.sentBytes / 10, `${other.sentBytes} of ${one.sentBytes} bytes`);
  const h7 = hosts.get("h7");
  for (const name of ["h5", "h6"]) runOn(h7, `ip route add blackhole ${hosts.get(name).address}`);
  assert.deepEqual(await add("h7"), [one]);
});

test("hosts that joined over SSH go over to another version where Drover is there; one that is away is named, and goes over when it is back", {
  skip,
}, async () => {
  const { hosts, first } = requireFleet();
  const on = hosts.get("h1");
  const next = await makeVersion(join(first.home, "work", "next"), "9.0.0");
  const upgrade = () => first.cli(["upgrade", "--from", next, "--yes"], { on, limitMs: 200_000 });
  const away = hosts.get("h7");
  away.cut();
  await first.until("h7 is away", async () => !(await isLinked(first, "h7")));
  const others = await upgrade();
  assert.equal(others.code, 0, others.stderr);
  assert.match(others.stderr, /h7 +does not answer.* +left out\n/);
  assert.match(others.stderr, /left out: h7; when they answer, run the same command again/);
  away.heal();
  await first.until("h7 is back", () => isLinked(first, "h7"));
  const rest = await upgrade();
  assert.equal(rest.code, 0, rest.stderr);
  assert.match(rest.stdout, /^1 machine went over to 9\.0\.0/);
  for (const name of ["h5", "h6", "h7"])
    assert.equal(
      runOn(hosts.get(name), 'cd /opt/drover; ls before/bin/drover; sed -n \'s/.*"version": "\\(.*\\)".*/\\1/p\' current/package.json'),
      "before/bin/drover\n9.0.0\n",
    );
});

/** Answers whoever fetches a part, at a port a case: with other bytes, with too many, with too few and then nothing more. */
const liars = `const { createServer } = require("node:net");
const answers = ["x".repeat(100), "x".repeat(1000), "x"];
Promise.all(answers.map((text) => new Promise((done) => {
  const server = createServer((socket) => socket.on("error", () => {}).once("data", () => text.length > 1 ? socket.end(text) : socket.write(text)));
  server.listen(0, "127.0.0.1", () => done(server.address().port));
}))).then((ports) => console.log(ports.join(" ")));`;

test("whatever a neighbour gives, a host takes nothing but the part, and keeps nothing of it", { skip }, async () => {
  const { hosts, first } = requireFleet();
  const host = hosts.get("h1");
  const script = join(import.meta.dirname, "../../src/ssh/host.sh");
  // The same script for another folder: the host of the server has no disk of its own.
  const program = await first.file("host.sh", (await readFile(script, "utf8")).replace("root=/opt/drover", `root=${first.home}/opt`));
  const server = await first.file("liars.cjs", liars);
  const said = runOn(
    host,
    `${process.execPath} ${server} >${server}.ports & ended=$!; trap 'kill $ended' EXIT
    until grep -q . ${server}.ports; do sleep 0.05; done
    for port in $(cat ${server}.ports) 1; do
      printf '%s\\n' fetch ${"0".repeat(64)} 100 127.0.0.1 $port 1 1 'drover-part t d' | sh ${program} || true
    done
    find ${first.home}/opt -type f`,
  );
  const words = [
    "what arrived is not what was sent; it was thrown away",
    "it gave 101 of 100 bytes",
    "it gave [01] of 100 bytes",
    "it takes no connection from here",
  ];
  const left = `${first.home}/opt/.machine-add`;
  assert.match(said, new RegExp(`^${words.map((text) => `drover:failed=${text}\n`).join("")}${left}\n$`));
});

test("hosts that do not fit are told all that is wrong with them, and nothing is changed there", { skip }, async () => {
  const { hosts, first, machine } = requireFleet();
  const h4 = hosts.get("h4");
  runOn(
    h4,
    'printf \'#!/bin/sh\\n[ "$1" != -m ] || { echo riscv64; exit; }\\nexec /bin/uname "$@"\\n\' >/usr/local/bin/uname; chmod 755 /usr/local/bin/uname',
  );
  const changed = () => runOn(h4, "find /opt /var/lib /etc/systemd -newer /usr/local/bin/uname 2>/dev/null || true");
  const known = join(first.home, "ssh", "known_hosts");
  await appendFile(known, await hosts.knownOtherwise("h4", 26));
  const password = await first.file("password", `${SshHosts.password}\n`, 0o600);
  const ways = ["--identity", hosts.identity, "--sudo-password-file"];

  const users = { root: 22, barred: 24, nobody: 25, free: 26 };
  const targets = Object.entries(users).map(([user, port]) => `${user}@${h4.address}:${port}`);
  const { code, stdout } = await machine("add", ...targets, ...ways, password, "--json");
  assert.equal(code, 1);
  const failures: { code: string; message: string; hint: string }[] = JSON.parse(stdout).details.hosts.map(
    (host: { failure: unknown }) => host.failure,
  );
  const [unfit, barred, stranger, other] = failures;
  assert.equal(unfit?.code, "HOST_UNFIT");
  assert.match(unfit?.message ?? "", /is riscv64, .*; has \d+ MiB left for \/opt\/drover, .*; has \d+ MiB left for \/var\/lib\/drover/);
  assert.equal(barred?.code, "HOST_UNFIT");
  assert.match(barred?.message ?? "", /sudo refuses "barred" there: .*not in the sudoers file/);
  assert.deepEqual([stranger?.code, stranger?.message], ["SSH_FAILED", "it takes none of your keys"]);
  assert.equal(other?.code, "HOST_KEY_CHANGED");
  assert.match(other?.message ?? "", /it shows another key than the one that is pinned: ssh-ed25519 SHA256:/);
  assert.ok(other?.hint.includes(`ssh-keygen -R "[${h4.address}]:26" -f "${known}"`), other?.hint);

  const wrong = await machine("add", `asked@${h4.address}`, ...ways, await first.file("wrong", "guess\n"));
  assert.match(wrong.stderr, /sudo does not take that password of "asked" there {3}\[HOST_UNFIT\]/);
  assert.equal(changed(), "");

  // The disk fills up while the copy is under way: what is there of it goes.
  const full = await machine("add", `root@${h4.address}`, "--identity", hosts.identity, "--ignore", "architecture", "--ignore", "disk");
  assert.match(full.stderr, /cannot be (written|unpacked): .*No space left on device/);
  assert.equal(runOn(h4, "cd /opt/drover; find incoming -type f"), "");
  assert.equal(await isLinked(first, "h4"), false);
});
