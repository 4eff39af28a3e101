import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { droverBin, processesOf, root, TestDrover } from "../harness/drover.ts";
import { done, Escalations, type Run, since, stepsOf } from "../harness/escalations.ts";

/**
 * Every row of the truth table of docs/escalator.md, for real: in examples/escalator, with shortened times. Nothing here rests on how fast anything is:
 * each row waits for what has to come, and what must not come is read from the records afterwards.
 */

const example = join(root, "examples", "escalator");

/** The example with its data centre, and what happened in it. */
class Demo implements AsyncDisposable {
  readonly drover: TestDrover;
  readonly watch: Escalations;
  readonly cloud: string;
  readonly #net: string;
  readonly #centre: ChildProcess;

  private constructor(drover: TestDrover, cloud: string, net: string, centre: ChildProcess) {
    this.drover = drover;
    this.watch = new Escalations(drover, "escalator");
    this.cloud = cloud;
    this.#net = net;
    this.#centre = centre;
  }

  static async start(): Promise<Demo> {
    // A network of its own, so that two runs of this test do not meet.
    const net = String(100 + (process.pid % 100));
    const drover = await TestDrover.start({ args: ["--link", `127.${net}.0.1:7374`, "--allow-outgoing", `127.${net}.0.0/16`] });
    // As `start` does it: apps are for the machines of the data centre.
    const { machines } = JSON.parse(await drover.run("machine", "ls", "--json"));
    await drover.run("machine", "cordon", machines[0].id);
    const cloud = join(drover.home, "work", "cloud");
    await mkdir(cloud, { recursive: true });
    for (const folder of [join(drover.home, "work"), cloud]) await chmod(folder, 0o777);
    await cp(join(example, "provider"), join(cloud, "bin"), { recursive: true });
    const env = { ...drover.environment, CLOUD: cloud, NET: net, DROVER: droverBin };
    const centre = spawn(process.execPath, [join(cloud, "bin", "cloud.mjs")], { env, stdio: ["ignore", "pipe", "inherit"] });
    await once(centre.stdout as NonNullable<typeof centre.stdout>, "data");
    return new Demo(drover, cloud, net, centre);
  }

  /**
   * Applies the space; checks fail after one failure. Levels whose end is waited for by the next one alone are quiet for a moment only; what is seen
   * after the others decides what comes next. @param more checks beside those of the example */
  async apply(settle: string, more = ""): Promise<void> {
    const values = await this.drover.file("values", `CLOUD=${this.cloud}\nNET=${this.#net}\nSETTLE=${settle}\nQUIET=1500ms\nSOON=20s\n`);
    const space = (await readFile(join(example, "space.yaml"), "utf8"))
      .replaceAll("failures: 2", "failures: 1")
      .replaceAll(/(name: (?:provider|network|pool|machine),.*quiet: )"\$\{QUIET\}"/g, "$1100ms");
    const folder = join(this.drover.home, "work", "space");
    await cp(example, folder, { recursive: true });
    await writeFile(
      join(folder, "space.yaml"),
      space.replace("guard:", () => `${more}guard:`),
    );
    await this.drover.run("apply", folder, "--env-file", values, "--detach");
  }

  async break(...args: readonly string[]): Promise<void> {
    const env = {
      ...this.drover.environment,
      CLOUD: this.cloud,
      DROVER: droverBin,
      HTTP_PORT: String(this.drover.edgePort),
    };
    const child = spawn(process.execPath, [join(this.cloud, "bin", "break.mjs"), ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
    const [code] = await once(child, "exit");
    assert.equal(code, 0, `break ${args.join(" ")}`);
  }

  /** Waits until everything is as it should be, nothing is going on, and the app is there as often as it should be. */
  calm(): Promise<void> {
    return this.watch.calm("hello", 4);
  }

  /** The machine of a pool on which most of the app runs. */
  async busiest(pool: string): Promise<{ readonly name: string; readonly instances: number }> {
    const on = Map.groupBy(await this.watch.instances("hello"), ({ machine }) => machine);
    const counts = [1, 2].map((i) => ({ name: `${pool}-${i}`, instances: on.get(`${pool}-${i}`)?.length ?? 0 }));
    return counts.reduce((most, one) => (one.instances > most.instances ? one : most));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#centre, "exit");
    this.#centre.kill("SIGTERM");
    await ended;
    const left = await processesOf(join(this.cloud, "disks"));
    await this.drover[Symbol.asyncDispose]();
    assert.deepEqual(left, [], "its machines end with the data centre, and what they run");
  }
}

// Rows that are not awaited one after the other are played side by side.
test("every row of the truth table, in examples/escalator", { timeout: 280_000, concurrency: true }, async (t) => {
  await using demo = await Demo.start();
  const { drover, watch } = demo;
  // Hours that are far from now, whenever that is.
  const hour = (new Date().getUTCHours() + 12) % 24;
  const at = (minutes: string) => `"${String(hour).padStart(2, "0")}:${minutes}"`;
  const night = `  night: { tcp: 9, host: "127.\${NET}.0.1", level: app, app: hello, every: 1s, timeout: 1s, failures: 1, expected: { from: ${at("00")}, until: ${at("59")}, zone: UTC } }\n`;

  await t.test("nothing exists: everything is built, level by level", async () => {
    // Nothing acts before everything was seen to fail, however busy the machine is.
    await demo.apply("30s", night);
    await drover.run("ladder", "pause", "--space", "escalator");
    await demo.apply("1500ms", night);
    await drover.until("everything fails", async () => (await watch.checks()).every(({ verdict }) => verdict === "failing"));
    await drover.run("ladder", "resume", "--space", "escalator");
    const run = await watch.run("the space is built", done("space"));
    const levels = run.steps.map(({ level }) => level);
    assert.deepEqual([...new Set(levels)], ["provider", "network", "pool", "machine", "converge", "app"]);
    assert.deepEqual(
      levels,
      levels.toSorted((a, b) => [...new Set(levels)].indexOf(a) - [...new Set(levels)].indexOf(b)),
      "one level after the other",
    );
    const failed = new Set(run.failed.map(({ check }) => check.split("@")[0]));
    assert.deepEqual([...failed].sort(), ["node-ping", "pool-serves", "provider-online", "services-online", "smoke"]);
    await demo.calm();
  });

  await t.test(
    "machines of two pools are dead: two runs side by side. They join again under their names, and what they ran is back",
    async () => {
      const fromMs = await watch.nowMs();
      const dead = await Promise.all([demo.busiest("web"), demo.busiest("store")]);
      assert.ok(
        dead.some(({ instances }) => instances > 0),
        "the app runs on one of them at least",
      );
      await Promise.all(dead.map(({ name }) => demo.break("ping", name)));
      const mended = dead.map(({ name }) => watch.run(`${name} is mended`, since(fromMs, done(`machine/${name}`))));
      const [web, store] = (await Promise.all(mended)) as [Run, Run];
      for (const [i, run] of [web, store].entries()) {
        const [first, second, ...rest] = stepsOf(run);
        assert.deepEqual([first, second], [`machine ${run.target}`, `converge ${run.target}`]);
        // On one that ran nothing there may be an instance by now: one that the other has lost.
        if ((dead[i]?.instances ?? 0) > 0 || rest.length > 0) assert.deepEqual(rest, ["app app/hello"], "what it ran is deployed again");
      }
      for (const [one, other] of [
        [web, store],
        [store, web],
      ] as const)
        assert.ok((one.begunAtMs ?? 0) < (other.outcome?.atMs ?? 0), "neither waits for the other");
      await demo.calm();
      const { status, body } = await drover.get("hello.escalator.localhost");
      assert.deepEqual([status, body], [200, "hello\n"], "the app answers through the edge");
      const { machines } = JSON.parse(await drover.run("machine", "ls", "--json"));
      const members = machines.filter(({ joined }: { joined: boolean }) => joined);
      assert.deepEqual(
        members.map(({ id, linked, labels }: { id: string; linked: boolean; labels: object }) => [id, linked, labels]),
        ["store-1", "store-2", "web-1", "web-2"].map((name) => [name, true, { pool: name.split("-")[0] }]),
      );
      const news = new RegExp(`machine\\.(?:joined|removed): machine ${dead[0]?.name} (?:joined|was removed)`, "g");
      const joined = (await drover.run("events", "-n", "1000")).match(news) ?? [];
      assert.deepEqual(
        joined.map((line) => line.split(" ").at(-1)),
        ["joined", "removed", "joined"],
        "what was destroyed is forgotten, what was made has joined",
      );
    },
  );

  /** On machines without an instance, beside what happens to the app. */
  const onStore = async () => {
    await t.test("a service is down on one machine: it is converged. Where that fails twice: people, and no redeploy", async () => {
      const fromMs = await watch.nowMs();
      await demo.break("service", "store-1");
      const run = await watch.run("store-1 is mended", since(fromMs, done("machine/store-1")));
      assert.deepEqual([run.level, stepsOf(run)], ["converge", ["converge machine/store-1"]]);
      await demo.break("stuck", "store-2");
      const stuck = await watch.run(
        "people are asked",
        since(fromMs, ({ target, outcome }) => target === "machine/store-2" && outcome?.kind === "people"),
      );
      assert.deepEqual(
        stuck.steps.map(({ level, verdict }) => `${level} ${verdict?.kind}`),
        ["converge failed", "converge failed"],
      );
      await demo.break("unstuck", "store-2");
      await drover.run("escalation", "acknowledge", stuck.id, "--space", "escalator");
      await watch.run("store-2 is mended", since(fromMs, done("machine/store-2")));
    });
    await t.test("a pool is down although its machines ping: the pool and everything in it", async () => {
      const fromMs = await watch.nowMs();
      await demo.break("pool", "store");
      const run = await watch.run("the pool is mended", since(fromMs, done("pool/store")));
      assert.deepEqual(stepsOf(run).sort(), [
        "converge machine/store-1",
        "converge machine/store-2",
        "machine machine/store-1",
        "machine machine/store-2",
        "pool pool/store",
      ]);
      assert.equal(run.steps[0]?.level, "pool");
    });
  };
  const onApp = async () => {
    const beganMs = await watch.nowMs();
    await t.test("only the app is broken: it is redeployed. Broken again in its quiet period: recorded only", async () => {
      const fromMs = await watch.nowMs();
      await demo.break("app");
      const acted = await watch.run(
        "the app was redeployed",
        since(fromMs, ({ target, steps }) => target === "app/hello" && steps[0]?.ended?.result === "ok"),
      );
      await demo.break("app");
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
      await demo.break("release");
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
  await Promise.all(["store-1", "store-2"].map((name) => drover.run("machine", "drain", name)));
  await onStore();
  await demo.calm();
  await onApp();
  await demo.calm();

  await t.test("ping is lost and comes back: nothing. A machine is lost, then its pool: one run from the pool on", async () => {
    // Long enough for what happens inside of the window to be seen there on a busy machine too.
    await drover.run("env", "unset", "hello", "BREAK", "--space", "escalator", "--detach");
    await demo.apply("12s", night);
    const fromMs = await watch.nowMs();
    await Promise.all([demo.break("lost", "store-1"), demo.break("ping", "web-1")]);
    const settling = (target: string) => since(fromMs, (run) => run.target === target && run.begunAtMs === null);
    await Promise.all([watch.run("store-1 settles", settling("machine/store-1")), watch.run("web-1 settles", settling("machine/web-1"))]);
    await Promise.all([demo.break("found", "store-1"), demo.break("service", "web-2")]);
    const run = await watch.run("the pool is mended", since(fromMs, done("pool/web")));
    assert.deepEqual([run.level, run.steps[0]?.level], ["pool", "pool"]);
    assert.equal(stepsOf(run).at(-1), "app app/hello", "what runs in the pool is deployed again");
    await demo.calm();
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
