import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { TestDrover } from "../harness/drover.ts";
import { isLinked } from "../harness/fleet.ts";
import { type Host, Hosts, whyNoHosts } from "../harness/hosts.ts";

const why = whyNoHosts() ?? (programOnPath("perl") === null ? "perl is missing" : null);
const skip = why === null ? false : `encrypted traffic between two hosts was not tried: ${why}`;

const marker = "nobody-on-the-network-may-read-this";
const serve = `require('http').createServer((q, s) => { s.write('${marker} ' + process.env.DROVER_INSTANCE); if (q.url !== '/stream') s.end(); })`;
const app = (name: string, listen: string) =>
  `app: ${name}\nprocesses: { web: { run: "exec node -e \\"${serve}.listen(${listen})\\"", instances: 2 } }\nstop: { drain: 1s, grace: 1s }\n`;

/** A program on the host. @returns what it printed */
function on(host: Host, program: string): string {
  const [enter = "", ...args] = host.enter;
  return spawnSync(enter, [...args, process.execPath, "-e", program], { encoding: "utf8" }).stdout;
}

function get(host: Host, port: number, path: string): readonly [string, readonly string[]] {
  const ask = `require("http").get({ host: "127.0.0.1", port: ${port}, path: "${path}", headers: { host: "shop.default.localhost" } }, (answer) => answer.on("data", (part) => process.stdout.write(part)).on("close", () => process.exit()))`;
  const [enter = "", ...args] = host.enter;
  return [enter, [...args, process.execPath, "-e", `${ask}.on("error", () => process.exit())`]];
}

test("where traffic between machines is encrypted, nobody on the network reads any of it, and what runs is not reached without it", {
  skip,
}, async (t) => {
  const hosts = await Hosts.up(2);
  t.after(() => hosts[Symbol.asyncDispose]());
  const [h1, h2] = [hosts.get("h1"), hosts.get("h2")];
  const link = `${h1.address}:7374`;
  const first = await TestDrover.prepare({ host: h1 });
  t.after(() => first[Symbol.asyncDispose]());
  await first.up(["--link", link, "--encrypt"]);
  const machine = await TestDrover.prepare({ host: h2 });
  t.after(() => machine[Symbol.asyncDispose]());
  const token = join(machine.home, "join-token");
  await first.run("machine", "token", "h2", "--out", token);
  machine.launch(["--join", link, "--token-file", token]);
  await first.until("h2 is linked", () => isLinked(first, "h2"));
  const capture = await hosts.capture();
  t.after(() => capture[Symbol.asyncDispose]());

  await first.apply(app("shop", "process.env.PORT, process.env.HOST"));
  const seen = new Set<string>();
  await first.until("both instances answer through the edge of each host", async () => {
    for (const host of [h1, h2]) {
      const { stdout } = spawnSync(...get(host, host === h1 ? first.edgePort : machine.edgePort, "/"), { encoding: "utf8" });
      if (stdout.startsWith(marker)) seen.add(`${host.name} ${stdout.slice(marker.length + 1)}`);
    }
    return seen.size === 4;
  });
  const control = "what-is-sent-plainly-is-seen";
  on(h1, `const s = require("dgram").createSocket("udp4"); s.send("${control}", 9, "${h2.address}", () => s.close())`);
  await first.until("the capture sees what is plain", async () => capture.has(control));
  assert.equal(capture.has(marker), false);

  const { instances } = JSON.parse(await first.run("ps", "shop", "--json"));
  const there = instances.find((one: { machine: string }) => one.machine === "h2");
  const tried = `require("net").connect(${there.port}, "${h2.address}").on("connect", () => console.log("reached")).on("error", (error) => console.log(error.code))`;
  assert.equal(on(h1, tried), "ECONNREFUSED\n");
  assert.match(
    await first.run("machine", "show", "h2"),
    /traffic +encrypted between machines, taken at port 7375 as h2\.[0-9a-f]{16}\.machine\.drover/,
  );

  const open = await first.file("open.yaml", app("open", "process.env.PORT"));
  await first.run("apply", open, "--detach");
  await first.until("an app that listens for everybody is not ready, and is told why", async () =>
    /listens where other machines reach it.*listen on \$HOST/.test((await first.cli(["why", "open"])).stdout),
  );
  const udp = await first.file(
    "udp.yaml",
    `${app("shop", "process.env.PORT, process.env.HOST")}routes: [{ port: 5300, protocol: udp, to: web }]\n`,
  );
  assert.match((await first.cli(["apply", udp])).stderr, /tcp, because traffic between machines is encrypted here/);

  const streams: ChildProcess[] = [];
  t.after(() => {
    for (const client of streams) client.kill("SIGKILL");
  });
  let ended: Promise<unknown> = Promise.resolve();
  await first.until("a stream comes from h2", async () => {
    const client = spawn(...get(h1, first.edgePort, "/stream"), { stdio: ["ignore", "pipe", "ignore"] });
    streams.push(client);
    ended = once(client, "exit");
    const [text] = await once(client.stdout, "data");
    return there.id.endsWith(String(text).slice(marker.length + 1));
  });
  await first.run("machine", "remove", "h2", "--force", "--yes");
  await ended;
  assert.equal(capture.has(marker), false);
});
