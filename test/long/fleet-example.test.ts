import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root, TestDrover } from "../harness/drover.ts";
import { done, Escalations, type Run, since, stepsOf } from "../harness/escalations.ts";
import type { Host } from "../harness/hosts.ts";
import { Rack } from "../harness/rack.ts";
import { runOn, SshHosts, whyNoSshHosts } from "../harness/ssh-hosts.ts";

/**
 * Every row of the truth table of docs/escalator.md on hosts: in examples/fleet, with a second pool beside its own, a spare host, and shortened times. Real pings,
 * real SSH, power that is really gone. Nothing here rests on how fast anything is: each row waits for what has to come, and what must not come is read from
 * the records afterwards.
 */

const missing = ["ping", "curl"].find((program) => programOnPath(program) === null);
const why = whyNoSshHosts() ?? (missing === undefined ? null : `${missing} missing`);
const skip = why === null ? false : `the truth table was not played on hosts: ${why}`;

const example = join(root, "examples", "fleet");
/** h1 to h3 are for machines of the example's pool, h4 and h5 for those of the other one; h6 is spare. */
const names = ["h1", "h2", "h3", "h4", "h5", "h6"] as const;
/** One whose machines have nothing to do, and of which one can be made unmendable. */
const store = `---
pool: store
machines: 2
provider:
  ssh:
    hosts: ["\${HOST4}", "\${HOST5}"]
    key: SSH_KEY
    http: 8080
    converge: test ! -e /root/stuck || { drover down --home /var/lib/drover --timeout 30s; exit 1; }
    power: exec curl -fsS -X PUT -d "$DROVER_POWER" "$RACK/$DROVER_HOST"
  env: { RACK: "\${RACK}" }
  every: "\${LOOK}"
`;

interface Settings {
  readonly settle: string;
  /** Machines of the pool that have to stay well. */
  readonly healthy?: number;
  /** Whether the example's guards hold: one machine at a time, and none when more than half of them fail. */
  readonly isGuarded?: boolean;
}

/** The example on hosts, and what happened in it. */
class Fleet implements AsyncDisposable {
  readonly drover: TestDrover;
  readonly hosts: SshHosts;
  readonly rack: Rack;
  readonly watch: Escalations;
  readonly #made: AsyncDisposableStack;

  private constructor(drover: TestDrover, hosts: SshHosts, rack: Rack, made: AsyncDisposableStack) {
    this.drover = drover;
    this.hosts = hosts;
    this.rack = rack;
    this.watch = new Escalations(drover, "fleet");
    this.#made = made;
  }

  static async open(): Promise<Fleet> {
    await using made = new AsyncDisposableStack();
    const hosts = made.use(await SshHosts.up(names.length, true));
    for (const name of names) await hosts.serve(name);
    const rack = made.use(await Rack.open(hosts, names));
    const drover = made.use(await TestDrover.start({ args: ["--link", `${hosts.own}:7374`, "--allow-outgoing", `${hosts.own}/32`] }));
    await drover.apply("space: fleet\n");
    const key = await readFile(hosts.identity, "utf8");
    const { code, stderr } = await drover.cli(["secret", "set", "SSH_KEY", "--space", "fleet"], { input: key });
    assert.equal(code, 0, stderr);
    return new Fleet(drover, hosts, rack, made.move());
  }

  /**
   * Applies the space; checks fail after one failure, and levels that a check of theirs waits for are quiet for a moment only.
   * @param more checks beside those of the example
   */
  async apply({ settle, healthy = 2, isGuarded = true }: Settings, more = ""): Promise<void> {
    const values = [
      ...names.map((name, i) => `HOST${i + 1}=root@${this.hosts.get(name).address}`),
      ...[`RACK=${this.rack.url}`, `SETTLE=${settle}`, "QUIET=1500ms", "LOOK=1s"],
    ];
    const folder = join(this.drover.home, "work", "space");
    await cp(example, folder, { recursive: true });
    const manifest = (await readFile(join(example, "drover.yaml"), "utf8"))
      .replaceAll("failures: 2", "failures: 1")
      .replace('"${HOST3}"]', '"${HOST3}", "${HOST6}"]')
      .replace("healthy: 2", `healthy: ${healthy}`)
      .replace("at_once: 34%", isGuarded ? "at_once: 34%" : "at_once: 100%")
      .replace("share: 50%", isGuarded ? "share: 50%" : "share: 100%")
      .replace("settle:", "soon: 20s\nsettle:")
      .replace("retry: 5s", "retry: 500ms")
      .replace("attempts: 3, then: app.rollback", "attempts: 3, retry: 500ms, then: app.rollback")
      .replace("# One machine at a time", () => `${more}# One machine at a time`);
    await writeFile(join(folder, "drover.yaml"), manifest + store);
    await this.drover.run("apply", folder, "--env-file", await this.drover.file("values", `${values.join("\n")}\n`), "--detach");
  }

  /** The host that a machine is: as it turned out when they were made side by side. */
  async hostOf(machine: string): Promise<Host> {
    const pool = machine.split("-")[0] ?? "";
    const { pool: view } = JSON.parse(await this.drover.run("pool", "show", pool, "--space", "fleet", "--json"));
    const { address } = view.machines.find(({ name }: { name: string }) => name === machine);
    return names.map((name) => this.hosts.get(name)).find((host) => host.address === address) ?? assert.fail(`no host is ${machine}`);
  }

  async on(machine: string, script: string): Promise<void> {
    runOn(await this.hostOf(machine), script);
  }

  /** Ends Drover on a machine: its edge's port is closed then. */
  async stopDrover(...machines: readonly string[]): Promise<void> {
    for (const machine of machines) await this.on(machine, "/usr/local/bin/drover down --home /var/lib/drover --timeout 30s");
  }

  async turnOff(machine: string): Promise<void> {
    await this.rack.switch((await this.hostOf(machine)).address, "off");
  }

  /** Has every instance of the app answer 500 until it starts anew. */
  async breakApp(): Promise<void> {
    const waiting = (await this.watch.instances("hello")).length;
    const broken = new Set<unknown>();
    await this.drover.until("all instances are broken", async () => {
      const { headers } = await this.drover.get("hello.fleet.localhost", "/break");
      return broken.add(headers["x-instance"]).size >= waiting;
    });
  }

  /** All is well, and the app runs on every machine of its pool. */
  async calm(): Promise<void> {
    await this.watch.calm("hello", 3, ["disk"]);
    await this.drover.run("rebalance", "hello", "--space", "fleet", "--yes");
    await this.watch.until("the app is on three machines", async () => {
      const ready = (await this.watch.instances("hello")).filter((one) => one.ready);
      return ready.length === 3 && new Set(ready.map(({ machine }) => machine)).size === 3;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#made.disposeAsync();
  }
}

// Rows on machines and rows on the app of another pool are played side by side.
test("every row of the truth table on hosts that are reached over SSH, in examples/fleet", {
  skip,
  timeout: 500_000,
  concurrency: true,
}, async (t) => {
  await using fleet = await Fleet.open();
  const { drover, watch, hosts, rack } = fleet;
  // Hours that are far from now, whenever that is.
  const hour = String((new Date().getUTCHours() + 12) % 24).padStart(2, "0");
  const night = `  night: { tcp: 9, host: ${hosts.own}, level: app, app: hello, every: 1s, failures: 1, expected: { from: "${hour}:00", until: "${hour}:59", zone: UTC } }\n`;

  await t.test("nothing exists, not even power: a person says yes, and everything is built, level by level", async () => {
    await rack.break("off");
    // Nothing acts before everything was seen to fail, however busy the machine is; and where nothing is, nothing can stay well.
    await fleet.apply({ settle: "30s", healthy: 0, isGuarded: false }, night);
    await drover.run("ladder", "pause", "--space", "fleet");
    await fleet.apply({ settle: "1500ms", healthy: 0, isGuarded: false }, night);
    await watch.until("everything fails", async () =>
      (await watch.checks()).every(({ id, verdict }) => verdict === "failing" || id.startsWith("disk@")),
    );
    await drover.run("ladder", "resume", "--space", "fleet");
    const asking = await watch.run("a person is asked", ({ target, state }) => target === "space" && state === "waiting");
    await drover.run("escalation", "approve", asking.id, "--space", "fleet");
    const run = await watch.run("the space is built", done("space"));
    const levels = run.steps.map(({ level }) => level);
    const order = ["rack", "network", "pool", "machine", "converge", "app"];
    assert.deepEqual([...new Set(levels)], order);
    assert.deepEqual(
      levels,
      levels.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
      "one level after the other",
    );
    const failed = new Set(run.failed.map(({ check }) => check.split("@")[0]));
    assert.deepEqual([...failed].sort(), ["ping", "pool-serves", "rack-online", "services", "smoke"]);
    await fleet.calm();
    await fleet.apply({ settle: "1500ms" }, night);
  });

  await t.test("machines of two pools have lost their power: two runs side by side, and what one of them ran is back", async () => {
    const fromMs = await watch.nowMs();
    await Promise.all([fleet.turnOff("web-1"), fleet.turnOff("store-1")]);
    const mended = ["web-1", "store-1"].map((name) => watch.run(`${name} is mended`, since(fromMs, done(`machine/${name}`))));
    const [web, store] = (await Promise.all(mended)) as [Run, Run];
    assert.deepEqual(stepsOf(web), ["machine machine/web-1", "converge machine/web-1", "app app/hello"]);
    assert.deepEqual(stepsOf(store), ["machine machine/store-1", "converge machine/store-1"]);
    for (const run of [web, store]) {
      assert.equal(run.steps[0]?.action?.name, "machine.power-cycle");
      assert.ok(run.failed.some(({ check }) => check === `ping@${run.target}`));
      const other = run === web ? store : web;
      assert.ok((run.begunAtMs ?? 0) < (other.outcome?.atMs ?? 0), "neither waits for the other");
    }
    await fleet.calm();
  });

  /** On machines that run nothing. */
  const onStore = async () => {
    await t.test(
      "a service is down on one machine: it is converged over SSH. Where that fails twice: people, and nothing after it",
      async () => {
        const fromMs = await watch.nowMs();
        await fleet.stopDrover("store-1");
        const run = await watch.run("store-1 is mended", since(fromMs, done("machine/store-1")));
        assert.deepEqual([run.level, stepsOf(run)], ["converge", ["converge machine/store-1"]]);
        await fleet.on("store-2", "touch /root/stuck");
        await fleet.stopDrover("store-2");
        const asked = (one: Run) => one.target === "machine/store-2" && one.outcome?.kind === "people";
        const stuck = await watch.run("people are asked", since(fromMs, asked));
        assert.deepEqual(
          stuck.steps.map(({ level, verdict, ended }) => `${level} ${verdict?.kind}: ${ended?.output.split("\n").at(-1)}`),
          ["converge failed: the script exited with 1", "converge failed: the script exited with 1"],
        );
        await fleet.on("store-2", "rm /root/stuck");
        await drover.run("escalation", "acknowledge", stuck.id, "--space", "fleet");
        await watch.run("store-2 is mended", since(fromMs, done("machine/store-2")));
      },
    );
    await t.test("a pool is down although its machines ping: the pool and everything in it", async () => {
      await fleet.calm();
      const fromMs = await watch.nowMs();
      await fleet.stopDrover("store-1", "store-2");
      const run = await watch.run("the pool is mended", since(fromMs, done("pool/store")));
      assert.equal(stepsOf(run)[0], "pool pool/store");
      assert.deepEqual(stepsOf(run).slice(1).sort(), [
        "converge machine/store-1",
        "converge machine/store-2",
        "machine machine/store-1",
        "machine machine/store-2",
      ]);
    });
  };
  const onApp = async () => {
    const beganMs = await watch.nowMs();
    await t.test("only the app is broken: it is redeployed. Broken again in its quiet period: recorded only", async () => {
      const fromMs = await watch.nowMs();
      await fleet.breakApp();
      const acted = await watch.run(
        "the app was redeployed",
        since(fromMs, ({ target, steps }) => target === "app/hello" && steps[0]?.ended?.result === "ok"),
      );
      await fleet.breakApp();
      await watch.run(
        "the app is mended",
        since(fromMs, (run) => run.id !== acted.id && done("app/hello")(run)),
      );
      const quietUntilMs = (acted.steps[0]?.ended?.atMs ?? 0) + 1_500;
      for (const { id, target, openedAtMs, steps } of await watch.runs()) {
        if (target !== "app/hello" || openedAtMs < fromMs) continue;
        assert.deepEqual([...new Set(steps.map(({ level }) => level))], steps.length === 0 ? [] : ["app"], "only the smoke check failed");
        if (id !== acted.id) assert.ok(openedAtMs >= quietUntilMs, "nothing begins in a quiet period");
      }
    });
    await t.test("a release that stays bad: after three redeploys soon after each other, the previous one", async () => {
      const fromMs = await watch.nowMs();
      await drover.run("env", "set", "hello", "BREAK=yes", "--space", "fleet", "--detach");
      await watch.run(
        "the release is taken back",
        since(fromMs, (run) => done("app/hello")(run) && run.steps.at(-1)?.action?.name === "app.rollback"),
      );
      const tried = (await watch.runs())
        .filter(since(beganMs, ({ target }) => target === "app/hello"))
        .toSorted((a, b) => a.openedAtMs - b.openedAtMs);
      const actions = tried.flatMap(({ steps }) => steps.map(({ action }) => action?.name ?? ""));
      assert.equal(actions.at(-1), "app.rollback");
      assert.ok(actions.slice(0, -1).every((name) => name === "app.redeploy") && actions.length >= 4, actions.join(", "));
    });
  };
  await Promise.all([onStore(), onApp()]);
  await fleet.calm();

  await t.test("a machine that stays dead when it is switched on is made anew, of the spare host", async () => {
    const fromMs = await watch.nowMs();
    const dead = await fleet.hostOf("web-1");
    await rack.burn(dead.address);
    const run = await watch.run("web-1 is mended", since(fromMs, done("machine/web-1")));
    assert.deepEqual(
      run.steps.map(({ level, target, action, verdict }) => `${level} ${target} ${action?.name}: ${verdict?.kind}`),
      [
        "machine machine/web-1 machine.power-cycle: failed",
        "machine machine/web-1 machine.replace: passed",
        "converge machine/web-1 machine.converge: passed",
        "app app/hello app.redeploy: passed",
      ],
    );
    assert.match(run.steps[1]?.ended?.output ?? "", new RegExp(`web-1 is root@${hosts.get("h6").address} now`));
    assert.equal((await fleet.hostOf("web-1")).name, "h6");
    await fleet.calm();
  });

  await t.test("ping is lost and comes back: nothing. A machine is lost, then its pool: one run from the pool on", async () => {
    // Long enough for what happens inside of the window to be seen there on a busy machine too.
    await fleet.apply({ settle: "12s", isGuarded: false }, night);
    const fromMs = await watch.nowMs();
    const unplugged = await fleet.hostOf("store-1");
    unplugged.cut();
    await fleet.turnOff("web-2");
    const settling = (target: string) => since(fromMs, (run) => run.target === target && run.begunAtMs === null);
    await Promise.all([watch.run("store-1 settles", settling("machine/store-1")), watch.run("web-2 settles", settling("machine/web-2"))]);
    unplugged.heal();
    await fleet.stopDrover("web-1", "web-3");
    const run = await watch.run("the pool is mended", since(fromMs, done("pool/web")));
    assert.deepEqual([run.level, run.steps[0]?.level], ["pool", "pool"]);
    assert.equal(stepsOf(run).at(-1), "app app/hello", "what runs in the pool is deployed again");
    await fleet.calm();
    const others = (await watch.runs()).filter(since(fromMs, ({ id }) => id !== run.id));
    const web = others.filter(({ target, openedAtMs }) => target.startsWith("machine/web") && openedAtMs < (run.begunAtMs ?? 0));
    assert.deepEqual([...new Set(web.map(({ outcome }) => outcome?.kind))], ["absorbed"], "its window is part of the pool's run");
    const blip = others.find(({ target }) => target === "machine/store-1");
    assert.deepEqual([blip?.outcome?.kind, blip?.steps], ["recovered", []]);
  });

  await t.test("outside of its expected hours a check fails, and nothing comes of it", async () => {
    const check = (await watch.checks()).find(({ id }) => id.startsWith("night@"));
    assert.deepEqual([check?.verdict, check?.isSilent], ["failing", true]);
    assert.ok((await watch.runs()).every(({ failed }) => !failed.some((one) => one.check.startsWith("night@"))));
  });
});
