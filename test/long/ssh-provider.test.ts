import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import type { Distribution } from "#host/distribution.ts";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Pool, SshPool } from "#model/pool.ts";
import type { RunCommand } from "../../src/server/pools/provider.ts";
import { createSshProvider } from "../../src/server/pools/ssh/ssh-provider.ts";
import { testProvider } from "../../src/server/pools/testing/provider-contract.ts";
import { openMemoryStore } from "../../src/server/store/memory-store.ts";
import type { Host } from "../harness/hosts.ts";
import { packSmallDrover } from "../harness/small-drover.ts";
import { runOn, SshHosts, whyNoSshHosts } from "../harness/ssh-hosts.ts";

/** Real SSH to real hosts. What is copied to them is a Drover of a few lines of sh, because the real one is for test/fleet. */
const why = whyNoSshHosts();
const skip = why === null ? false : `the provider ssh was not tried: ${why}`;
const never = new AbortController().signal;

let folder = "";
let hosts: SshHosts;
let distribution: Distribution;
const named = ["h1", "h2", "h3"] as const;

before(async () => {
  if (why !== null) return;
  folder = await mkdtemp(join(tmpdir(), "drover-ssh-provider-"));
  hosts = await SshHosts.up(named.length, true);
  for (const name of named) await hosts.serve(name);
  distribution = await packSmallDrover(folder);
});

after(async () => {
  if (why !== null) return;
  await hosts[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const machines = ["web-1", "web-2"] as unknown as readonly [MachineId, MachineId];
let calls = 0;
const call = (machine: MachineId) => ({ machine, key: `own-${++calls}`, timeoutMs: 60_000 });

/** What a command line of the pool would do: `$DROVER_HOST` is switched, or one that lies ends well. */
const switchByHand: RunCommand = async ({ run, env }) => {
  const name = named.find((one) => hosts.get(one).address === env["DROVER_HOST"]) ?? assert.fail("no such host");
  if (run === "switch") await (env["DROVER_POWER"] === "on" ? hosts.powerOn(name) : hosts.powerOff(name));
  return { result: run === "refuse" ? "failed" : "ok", exitCode: run === "refuse" ? 1 : 0, output: `${run} ${env["DROVER_MACHINE"]}` };
};

/** A pool over some of the hosts, on which nothing is. */
async function open(spec: Partial<SshPool> = {}) {
  const tokens: string[] = [];
  const store = openMemoryStore({ random: Math.random });
  const list = ["h1", "h2"].map((name) => `free@${hosts.get(name).address}`);
  const pool: Pool & { readonly provider: SshPool } = {
    space: "default" as SpaceName,
    name: "web" as PoolName,
    machines: 2,
    healthy: 1,
    rules: null,
    provider: {
      ...{ kind: "ssh", hosts: list, key: "KEY", sudo: null, converge: null, power: null, agentOptions: [] },
      ...{ env: {}, secrets: [], everyMs: 1_000, timeoutMs: 30_000, ...spec },
    },
  };
  const values: Readonly<Record<string, string>> = {
    KEY: await readFile(hosts.identity, "utf8"),
    WORD: "canary-5f1e7a",
    SUDO: SshHosts.password,
  };
  const joinedAs = (host: Host) => runOn(host, "cat /var/lib/drover/run/agent.machine 2>/dev/null || true");
  const provider = createSshProvider({
    pool,
    store,
    folder: join(folder, "server"),
    ownKey: "default-1",
    secret: (name) => values[name] ?? assert.fail(`no secret ${name}`),
    members: {
      join: { host: hosts.get("h3").address, port: 22 },
      linked: async () => new Set(named.map((name) => joinedAs(hosts.get(name)))),
      known: async () => new Set(tokens),
      createToken: async (name) => {
        tokens.push(name);
        return `token-of-${name}`;
      },
      neighbour: async () => null,
      forget: async () => {},
    },
    distribution: async () => distribution,
    act: switchByHand,
    environment: process.env,
    clock: systemClock,
  });
  return {
    provider,
    joinedAs,
    machines,
    made: async (machine: MachineId) => tokens.filter((name) => name === machine).length,
    lose: async (machine: MachineId) => {
      const { address } = (await provider.list(never)).find(({ name }) => name === machine) ?? {};
      named
        .map((name) => hosts.get(name))
        .find((host) => host.address === address)
        ?.cut();
    },
    [Symbol.asyncDispose]: async () => {
      for (const name of named) {
        await hosts.powerOn(name);
        hosts.get(name).heal();
      }
      for (const machine of machines) await provider.destroy(call(machine), never);
      for (const name of named) runOn(hosts.get(name), "rm -rf /opt/drover /var/lib/drover");
    },
  };
}

describe("ssh", { skip }, () => {
  testProvider("ssh", open);

  test("hosts are switched by the pool's command, and are on once they answer again", async () => {
    await using world = await open({ power: "switch" });
    const { provider } = world;
    const [machine] = world.machines;
    assert.deepEqual(provider.can, { converge: true, power: true });
    const strange = await provider.power({ ...call(machine), to: "on" }, never);
    assert.deepEqual([strange.result, strange.output], ["failed", "no host is web-1"]);
    await provider.create(call(machine), never);
    for (const to of ["off", "on"] as const) {
      const { result, output } = await provider.power({ ...call(machine), to }, never);
      assert.deepEqual([result, output], ["ok", `switch web-1\nfree@${hosts.get("h1").address} is ${to}`]);
      assert.equal((await provider.list(never))[0]?.power, to);
    }
    const converged = await provider.converge(call(machine), never);
    assert.equal(converged.result, "ok", converged.output);
    assert.equal(world.joinedAs(hosts.get("h1")), machine, "what ran there before runs again");
  });

  test("a host whose command fails, or ends well and has done nothing, was not switched", async () => {
    for (const [power, result] of [
      ["refuse", "failed"],
      ["lie", "timed-out"],
    ] as const) {
      await using world = await open({ power });
      const [machine] = world.machines;
      await world.provider.create(call(machine), never);
      const end = await world.provider.power({ ...call(machine), to: "off", timeoutMs: 3_000 }, never);
      assert.deepEqual([end.result, end.output], [result, `${power} web-1`]);
    }
  });

  test("a machine whose host is dead is made anew of the next spare host, and the old one is wiped before it is used again", async () => {
    const list = named.map((name) => `asked@${hosts.get(name).address}`);
    await using world = await open({ hosts: list, sudo: "SUDO" });
    const { provider, joinedAs } = world;
    const [web1, web2] = machines;
    for (const machine of machines) assert.equal((await provider.create(call(machine), never)).result, "ok");
    assert.deepEqual((await provider.about?.(never))?.spare, [list[2]]);
    const [h1, h2, h3] = named.map((name) => hosts.get(name)) as [Host, Host, Host];

    h1.cut();
    const gone = await provider.destroy(call(web1), never);
    assert.match(
      `${gone.result} ${gone.output}`,
      /^ok asked@\S+ is put away and will be wiped before it is used again: it does not answer/,
    );
    const again = await provider.create(call(web1), never);
    assert.equal(again.result, "ok", again.output);
    assert.deepEqual([joinedAs(h2), joinedAs(h3)], [web2, web1]);

    h1.heal();
    assert.equal(joinedAs(h1), web1, "it still believes that it is the machine");
    await provider.destroy(call(web2), never);
    // Of two that were freed the one longest ago is taken.
    const other = await provider.create(call(web2), never);
    assert.match(other.output, new RegExp(`asked@${h1.address} was wiped\\n.*web-2 is asked@${h1.address} now`, "s"));
    assert.deepEqual([joinedAs(h1), joinedAs(h2), joinedAs(h3)], [web2, "", web1]);
  });

  test("converging starts what has ended and runs the user's script as root, with secrets that no argument shows", async () => {
    const script =
      'id -un; echo "$DROVER_MACHINE of $DROVER_POOL: $GREETING $WORD" | tee /root/said; tr "\\0" " " </proc/$$/cmdline; test -e /root/well';
    await using world = await open({ converge: script, env: { GREETING: "it's" }, secrets: ["WORD"] });
    const { provider, joinedAs } = world;
    const [machine] = machines;
    await provider.create(call(machine), never);
    const host = hosts.get("h1");
    runOn(host, "kill $(sed 's/[^0-9]//g' /var/lib/drover/run/agent.json); rm -r /var/lib/drover/run");
    const bad = await provider.converge(call(machine), never);
    assert.equal(bad.result, "failed");
    assert.match(bad.output, /root\nweb-1 of web: it's canary-5f1e7a\nsh \/opt\/drover\/script\.\S+ *\nthe script exited with 1$/);
    assert.equal(joinedAs(host), machine, "its agent runs again");
    runOn(host, "touch /root/well");
    assert.equal((await provider.converge(call(machine), never)).result, "ok");
    assert.equal(runOn(host, "ls /opt/drover/script.* 2>/dev/null || true"), "", "the script is gone");
  });

  test("a host with another key than the one that was pinned is refused, and the next one is taken", async () => {
    const list = named.slice(1).map((name) => `root@${hosts.get(name).address}:24`);
    await using world = await open({ hosts: list });
    const known = join(folder, "server", "known_hosts");
    await appendFile(known, await hosts.knownOtherwise("h2", 24));
    const end = await world.provider.create(call(machines[0]), never);
    assert.equal(end.result, "ok", end.output);
    assert.match(end.output, /it shows another key than the one that is pinned: ssh-ed25519 SHA256:.*web-1 is root@\S+:24 now/s);
    assert.deepEqual([world.joinedAs(hosts.get("h2")), world.joinedAs(hosts.get("h3"))], ["", machines[0]]);
    await writeFile(known, "");
  });

  test("a list of hosts of which none can become a machine fails with the words of each", async () => {
    await using world = await open({ hosts: ["barred", "nobody"].map((user) => `${user}@${hosts.get("h1").address}`) });
    const { result, output } = await world.provider.create(call(machines[0]), never);
    assert.equal(result, "failed");
    assert.match(output, /barred@.*: sudo (refuses|is)|barred@.*: sudo/);
    assert.match(output, /nobody@\S+: it takes none of your keys.*\nno other host of the list is spare$/s);
    assert.deepEqual(await world.provider.list(never), []);
  });

  test("the server's own key is made once, and its public half is what hosts let in", async () => {
    await using world = await open({ key: null });
    const about = await world.provider.about?.(never);
    assert.match(about?.publicKey ?? "", /^ssh-ed25519 \S+ drover$/);
    const refused = await world.provider.create(call(machines[0]), never);
    assert.match(refused.output, /it takes none of your keys/);
    for (const name of ["h1", "h2"]) runOn(hosts.get(name), `echo '${about?.publicKey}' >>/home/free/.ssh/authorized_keys`);
    assert.equal((await world.provider.create(call(machines[0]), never)).result, "ok");
    assert.deepEqual((await world.provider.about?.(never))?.publicKey, about?.publicKey);
  });
});
