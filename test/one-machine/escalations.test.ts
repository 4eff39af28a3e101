import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "#host/testing/free-ports.ts";
import { textOfProcess } from "#host/testing/processes.ts";
import { processesOf, request, root, TestDrover } from "../harness/drover.ts";
import { TestMailServer } from "../harness/mail-server.ts";
import { seed, seeded } from "../harness/random.ts";

const fixture = join(root, "test/fixtures/breakable.mjs");
const isFull = process.env["DROVER_FULL"] === "1";
/** How often the server is killed in the middle of runs. Few by default, because its agent waits ever longer before it starts it again. */
const kills = isFull ? 40 : 3;
/** So many servers are killed so often, side by side: 200 times in all. */
const seeds = isFull ? Array.from({ length: 5 }, (_, i) => seed + i) : [seed];
/** Places where the server is killed at an exact moment; by default one of them, another each time. */
const places = ["escalation.save.before", "escalation.save.after", "escalation.started", "step.end.before", "step.end.after"];

interface Run {
  readonly id: string;
  readonly state: string;
  readonly target: string;
  readonly steps: readonly { readonly id: string; readonly ended: { readonly result: string; readonly output: string } | null }[];
  readonly outcome: { readonly kind: string } | null;
}

/** Asked without a command in between, because tests ask again and again. */
async function runs(drover: TestDrover, space = "default"): Promise<readonly Run[]> {
  return JSON.parse((await drover.api("GET", `/v1/spaces/${space}/escalations`)).body).escalations;
}

const check = (path: string, level: string, space = "default") =>
  `{ http: "http://shop.${space}.localhost${path}", level: ${level}, every: 1s, failures: 1 }`;

function shop(flag: string): string {
  return `app: shop\nrun: exec node ${fixture}\nenv: { FLAG: ${JSON.stringify(flag)} }\n---\n`;
}

/** Two files for what runs under another user: one that makes checks fail while it is there, and one that is written to. */
async function filesFor(drover: TestDrover, folder: string): Promise<{ readonly flag: string; readonly done: string }> {
  const [flag, done] = [await drover.file(`${folder}/flag`, ""), await drover.file(`${folder}/done`, "")];
  await rm(flag);
  await chmod(dirname(done), 0o777);
  await chmod(done, 0o666);
  return { flag, done };
}

/** A space of one test, on a server that it shares with others. */
class TestSpace {
  readonly host: string;
  readonly flag: string;
  readonly done: string;
  readonly #drover: TestDrover;
  readonly #name: string;

  private constructor(drover: TestDrover, name: string, files: { readonly flag: string; readonly done: string }) {
    this.#drover = drover;
    this.#name = name;
    this.host = `shop.${name}.localhost`;
    this.flag = files.flag;
    this.done = files.done;
  }

  static async in(drover: TestDrover, name: string): Promise<TestSpace> {
    return new TestSpace(drover, name, await filesFor(drover, name));
  }

  check(path: string, level: string): string {
    return check(path, level, this.#name);
  }

  runs(): Promise<readonly Run[]> {
    return runs(this.#drover, this.#name);
  }

  cli(args: readonly string[], input = "") {
    return this.#drover.cli(args, { input, env: { DROVER_SPACE: this.#name } });
  }

  /** As `cli`, and the command has to succeed. */
  async run(args: readonly string[], input = ""): Promise<string> {
    const { code, stdout, stderr } = await this.cli(args, input);
    assert.equal(code, 0, `drover ${args.join(" ")} ended with ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  apply(manifest: string): Promise<string> {
    return this.run(["apply", "-"], manifest);
  }
}

/** A level whose command writes down that it ran, quiet until its check was made again. @param mends the file that it removes, which makes its check pass */
function recorded(name: string, done: string, mends: string | null): string {
  const line = `echo $DROVER_ESCALATION/$DROVER_LEVEL/$DROVER_ATTEMPT >> ${done}; sleep 0.2${mends === null ? "" : `; rm -f ${mends}`}`;
  return `  - { name: ${name}, run: "${line}", quiet: 1500ms, attempts: 5, retry: 100ms }\n`;
}

describe("escalations", { concurrency: true }, () => {
  // One after the other: the last one stops the server for a while, which the others ask.
  describe("on one server", { concurrency: false }, () => {
    let drover: TestDrover;
    before(async () => {
      drover = await TestDrover.start({ args: ["--allow-outgoing", "127.0.0.1", "--public-url", "https://drover.example.com"] });
    });
    after(() => drover[Symbol.asyncDispose]());

    describe("in spaces of their own", { concurrency: true }, () => {
      test("an app that answers wrongly is restarted by its ladder, and the record says why and how", async () => {
        const space = await TestSpace.in(drover, "restart");
        const { flag } = space;
        const ladder = `ladder: demo\nsettle: 500ms\nlevels: [{ name: app, do: app.restart, quiet: 500ms, attempts: 5 }]\nchecks:\n  smoke: ${space.check("/", "app")}\n`;
        await space.apply(shop(flag) + ladder.replace("level: app", "level: app, app: shop"));
        await drover.until("the check passes", async () => (await space.run(["check", "ls"])).includes(" ok "));
        assert.match(await space.apply(shop(flag) + ladder.replace("level: app", "level: app, app: shop")), /unchanged/);
        await drover.get(space.host, "/break");
        // Before the app answered for the first time the check may have failed too: only the last changes are those of the break.
        await drover.until("the check failed and passes again", async () => {
          const { changes } = JSON.parse(await space.run(["check", "history", "smoke@app/shop", "--json"]));
          const verdicts = changes.map(({ to }: { readonly to: string }) => to).slice(-3);
          return verdicts.join() === "ok,failing,ok" && (await drover.get(space.host)).status === 200;
        });
        await drover.until("the run is done", async () => (await space.runs())[0]?.outcome?.kind === "done");
        const [run] = await space.runs();
        const report = await space.run(["escalation", "show", run?.id ?? "", "--report"]);
        assert.match(report, /smoke@app\/shop` since .*answered 500/);
        assert.match(report, /1\. \*\*app\*\* on `app\/shop`: app\.restart.*ok/);
        assert.match(await space.run(["explain", "shop"]), /app\.restart \(level "app"\) on app\/shop/);
        assert.match(await space.run(["ladder", "simulate", "--fail", "smoke"]), /begun app\/shop/);
      });

      test("people approve, pause, stop and take note; who has no right does not", async () => {
        const space = await TestSpace.in(drover, "people");
        const { flag, done } = space;
        const ladder = (more: string) =>
          `ladder: demo\nsettle: 100ms\nlevels:\n  - { name: infra, run: "echo $DROVER_ATTEMPT >> ${done}; sleep 30", quiet: 0s, attempts: 1, ${more} }\nchecks:\n  flag: ${space.check("/flag", "infra")}\n`;
        await space.apply(shop(flag) + ladder("approve: true"));
        await space.run(["ladder", "pause", "--for", "1h", "--by", "ann"]);
        await writeFile(flag, "");
        await drover.until("it waits because of the pause", async () => /paused by ann/.test(await space.run(["ladder", "show"])));
        await space.run(["ladder", "resume"]);
        for (const [args, says] of [
          [["pause", "app/nope"], /no app "nope"/],
          [["pause", "machine/nope"], /no machine "nope"/],
          [["pause", "shop"], /Write app\/shop for the app/],
          [["dry-run", "maybe"], /neither on nor off/],
        ] as const)
          assert.match((await space.cli(["ladder", ...args])).stderr, says);
        await drover.until("it waits for approval", async () => (await space.runs())[0]?.state === "waiting");
        const id = (await space.runs())[0]?.id ?? "";
        const path = `/v1/spaces/people/escalations/${encodeURIComponent(id)}/approve`;
        const headers = { "content-type": "application/json", authorization: `Bearer drv_admin_x_${"0".repeat(72)}` };
        assert.equal((await request({ port: drover.apiPort, method: "POST", path, headers, body: "{}" })).status, 401);
        const tokenOf = async (role: string) => {
          const made = await space.run(["token", "create", `${role}-of-people`, "--role", role, "--space", "people"]);
          return { DROVER_SPACE: "people", DROVER_TOKEN: made.trim() };
        };
        const [deployer, operator] = [await tokenOf("deployer"), await tokenOf("operator")];
        const refused = await drover.cli(["escalation", "approve", id], { env: deployer });
        assert.equal(refused.code, 6);
        assert.match(refused.stderr, /"deployer-of-people" is a deployer of "people" alone, and this takes an operator.*\[NOT_ALLOWED\]/);
        assert.equal(await readFile(done, "utf8"), "", "nothing ran before it was approved");
        const approved = await drover.cli(["escalation", "approve", id, "--by", "ann"], { env: operator });
        assert.equal(approved.code, 0, approved.stderr);
        assert.match(await space.run(["events", "--space", "people"]), /is approved by ann \(operator-of-people\)/);
        await drover.until("the command runs", async () => (await readFile(done, "utf8")) === "1\n");
        await space.run(["escalation", "stop", id]);
        await drover.until("it is stopped", async () => (await space.runs()).find((run) => run.id === id)?.outcome?.kind === "stopped");
        assert.equal((await space.runs()).find((run) => run.id === id)?.steps[0]?.ended?.result, "killed");
        const again = await space.cli(["escalation", "acknowledge", id]);
        assert.equal(again.code, 8, "nobody was asked");
      });

      test("people are told by signed webhooks, a target that fails is tried again, and redirects are not followed", async () => {
        const space = await TestSpace.in(drover, "webhook");
        const { flag } = space;
        const received: { readonly path: string; readonly headers: http.IncomingHttpHeaders; readonly body: string }[] = [];
        const receiver = http
          .createServer(async (incoming, response) => {
            let body = "";
            for await (const chunk of incoming) body += chunk;
            received.push({ path: incoming.url ?? "", headers: incoming.headers, body });
            if (incoming.url === "/moved") response.writeHead(307, { location: "/inside" });
            else response.statusCode = 204;
            response.end();
          })
          .listen(0, "127.0.0.1");
        await once(receiver, "listening");
        const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
        await space.apply(shop(flag));
        await space.run(["secret", "set", "DROVER_WEBHOOK_SECRET"], "whsec_c2VjcmV0");
        await space.apply(
          `${shop(flag)}ladder: demo\nsettle: 100ms\nlevels: [{ name: app, do: app.restart, quiet: 0s, attempts: 1 }]\nchecks:\n  flag: ${space.check("/flag", "app").replace("level", "app: shop, level")}\ntell:\n  - { webhook: "${url}/hook", template: '{ "say": "{{text}}", "link": "{{acknowledge}}" }' }\n  - { webhook: "${url}/moved" }\n  - { webhook: "http://169.254.169.254/latest" }\n`,
        );
        await writeFile(flag, "");
        await drover.until("the receiver is told", async () => received.some(({ path }) => path === "/hook"));
        const hook = received.find(({ path }) => path === "/hook");
        const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature } = hook?.headers ?? {};
        assert.equal(signature, `v1,${createHmac("sha256", "secret").update(`${id}.${at}.${hook?.body}`).digest("base64")}`);
        const { say, link } = JSON.parse(hook?.body ?? "{}") as { say: string; link: string };
        assert.match(say, /app\/shop needs a person/);
        await drover.until("the failures are told", async () => {
          const events = await space.run(["events", "-n", "200"]);
          return /answered 307, and redirects are not followed/.test(events) && /169\.254\.169\.254 was not told: .*inside/.test(events);
        });
        assert.ok(!received.some(({ path }) => path === "/inside"));
        await rm(flag);
        assert.match(link, /^https:\/\/drover\.example\.com\/v1\/acknowledge\/[0-9a-f]{64}$/);
        const { pathname } = new URL(link);
        const follow = (method: string, path = pathname, headers: Record<string, string> = {}) =>
          request({ port: drover.apiPort, method, path, headers });
        const page = await follow("GET");
        assert.equal(page.status, 200, "the link alone is the permission");
        assert.match(page.body, /app\/shop needs a person.*flag@app\/shop.*answered 500.*<form method="post"><button/s);
        assert.match(String(page.headers["content-security-policy"]), /default-src 'none'.*frame-ancestors 'none'/);
        assert.equal((await follow("HEAD")).status, 200);
        assert.equal(
          (await space.runs()).find(({ state }) => state === "needs-human")?.target,
          "app/shop",
          "looking at it changes nothing",
        );
        assert.equal(
          (await follow("POST", pathname, { origin: "https://elsewhere.example" })).status,
          403,
          "another site cannot press the button",
        );
        const own = { origin: `http://127.0.0.1:${drover.apiPort}`, "sec-fetch-site": "same-origin" };
        assert.equal((await follow("POST", pathname, own)).status, 200);
        assert.ok((await space.runs()).every(({ state }) => state !== "needs-human"));
        for (const method of ["GET", "POST"]) assert.equal((await follow(method)).status, 401, "the link ends with what it was for");
        assert.equal((await follow("POST", "/v1/acknowledge/none")).status, 401);
        receiver.close();
        receiver.closeAllConnections();
      });

      test("people are told by e-mail over TLS and by a command, each with a link that takes note", async () => {
        await using server = await TestMailServer.start({ authOptional: false });
        const space = await TestSpace.in(drover, "mail");
        const { flag, done } = space;
        await space.apply(shop(flag));
        await space.run(["secret", "set", "SMTP_PASSWORD"], "correct horse");
        const pem = server.ca.trimEnd().replaceAll("\n", "\n    ");
        const mail = `mail:\n  host: 127.0.0.1\n  port: ${server.port}\n  user: drover\n  password: SMTP_PASSWORD\n  from: drover@example.com\n  ca: |\n    ${pem}\n`;
        await space.apply(
          `${shop(flag)}ladder: demo\nsettle: 100ms\nlevels: [{ name: app, do: app.restart, quiet: 0s, attempts: 1 }]\nchecks:\n  flag: ${space.check("/flag", "app").replace("level", "app: shop, level")}\ntell:\n  - { email: oncall@example.com }\n  - { run: 'echo "$DROVER_SPACE $DROVER_TEXT $DROVER_ACKNOWLEDGE" >> ${done}' }\n${mail}`,
        );
        await writeFile(flag, "");
        await drover.until("the e-mail is there", async () => server.taken.length > 0);
        const [taken] = server.taken;
        assert.deepEqual([taken?.to, taken?.user, taken?.isEncrypted], [["oncall@example.com"], "drover", true]);
        assert.match(taken?.text ?? "", /^Subject: \[mail\] app\/shop needs a person/m);
        const path = /https:\S+(\/v1\/acknowledge\/[0-9a-f]{64})/.exec(taken?.text ?? "")?.[1] ?? "";
        assert.equal((await request({ port: drover.apiPort, method: "GET", path, headers: {} })).status, 200);
        assert.match(
          (await space.cli(["status"])).stdout,
          /app\/shop of space "mail" needs a person: .*drover escalation show .*\[PERSON_NEEDED\]/,
        );
        await drover.until("the command ran", async () =>
          /^mail \[mail\] app\/shop needs .* https:.*acknowledge/.test(await readFile(done, "utf8")),
        );
        const leaked = await processesOf(drover.home).then((pids) => Promise.all(pids.map((pid) => textOfProcess(pid, "cmdline"))));
        assert.ok(!leaked.join().includes("correct horse"));
        assert.ok(!(await space.run(["events", "-n", "200", "--json"])).includes("correct horse"));
      });

      test("a command that an agent runs is a check as any other", async () => {
        const space = await TestSpace.in(drover, "command");
        const { flag } = space;
        const command = { run: `test ! -e ${flag} && echo "$TARGET id $(id -u) is well"`, every: "2s", failures: 1 };
        await space.apply(`${shop(flag)}checks: { flag: ${JSON.stringify(command)} }\nescalate: [tell]\n`.replace("---\n", ""));
        await drover.until("the command passed", async () => /ok .*shop id \d+ is well/.test(await space.run(["check", "ls"])));
        await writeFile(flag, "");
        await drover.until("it fails", async () => /failing .*exited with 1/.test((await space.cli(["check", "ls"])).stdout));
        assert.match(
          await space.run(["why", "shop"]),
          /is ready\n {2}check shop-flag@app\/shop of space "command" fails: exited with 1 {3}\[CHECK_FAILING\]/,
        );
        const status = await space.cli(["status"]);
        assert.equal(status.code, 4, status.stdout);
        assert.match(status.stdout, /check shop-flag@app\/shop of space "command" fails: exited with 1/);
      });
    });

    test("a server that stands still in the middle of a step keeps its store from any other, and the step is done once", async () => {
      const space = await TestSpace.in(drover, "frozen");
      const { flag, done } = space;
      const go = join(dirname(done), "go");
      const run = `echo begun >> ${done}; until test -e ${go}; do sleep 0.1; done; echo ended >> ${done}; rm -f ${flag}`;
      await space.apply(
        `${shop(flag)}ladder: demo\nsettle: 100ms\nlevels: [{ name: infra, run: "${run}", quiet: 1500ms }]\nchecks:\n  flag: ${space.check("/flag", "infra")}\n`,
      );
      await writeFile(flag, "");
      const lines = async () => (await readFile(done, "utf8")).trim().split("\n");
      await drover.until("the step has begun", async () => (await lines()).includes("begun"));
      const server = await drover.pidOf("server");
      process.kill(server, "SIGSTOP");
      try {
        const [port] = await freePorts(1);
        const other = await drover.cli(["server", "--home", drover.home, "--api", `127.0.0.1:${port}`]);
        assert.match(other.stderr, new RegExp(`in use by another server \\(pid ${server}\\).*STORE_IN_USE`));
        await writeFile(go, "");
        await drover.until("the step has ended, with nobody to hear of it", async () => (await lines()).includes("ended"));
      } finally {
        process.kill(server, "SIGCONT");
      }
      await drover.until("its run is done", async () => (await space.runs()).some(({ outcome }) => outcome?.kind === "done"));
      assert.deepEqual(await lines(), ["begun", "ended"]);
      assert.deepEqual(
        (await space.runs()).flatMap(({ steps }) => steps.map(({ ended }) => ended?.result)),
        ["ok"],
      );
    });
  });

  for (const place of isFull ? places : [places[seed % places.length] as string])
    test(`the server killed at ${place}: the run goes on, and its step runs once`, async () => {
      await using drover = await TestDrover.prepare();
      drover.launch([], { DROVER_FAILPOINTS: `${place}=kill` });
      await drover.ready();
      const { flag, done } = await filesFor(drover, "place");
      await writeFile(flag, "");
      await drover.cli(["apply", "-", "--detach"], {
        input: `${shop(flag)}ladder: demo\nsettle: 300ms\nlevels:\n${recorded("a", done, flag)}checks:\n  flag: ${check("/flag", "a")}\n`,
      });
      await drover.until("the place is reached", async () => /"drover\/server\/main.*SIGKILL/.test(drover.output));
      // What an agent without the failpoint starts is without it.
      await drover.kill("agent");
      await drover.up();
      await drover.kill("server");
      await drover.ready();
      await drover.until(
        "the run ends",
        async () => (await readFile(done, "utf8")) !== "" && (await runs(drover)).every(({ outcome }) => outcome !== null),
      );
      const lines = (await readFile(done, "utf8")).trimEnd().split("\n");
      assert.deepEqual(lines, [...new Set(lines)], "each attempt ran once");
      assert.equal(
        lines.length,
        1,
        `${lines.join("\n")}\n${await drover.run("escalation", "ls")}${await drover.run("events", "-n", "100")}`,
      );
      assert.deepEqual(
        (await runs(drover)).map(({ outcome }) => outcome?.kind).filter((kind) => kind !== "recovered"),
        ["done"],
      );
    });

  for (const own of seeds)
    test(`the server killed ${kills} times in the middle of runs: they end as they would have, and no step runs twice (seed ${own})`, () =>
      killInTheMiddle(own));
});

async function killInTheMiddle(own: number): Promise<void> {
  const random = seeded(own);
  await using drover = await TestDrover.start();
  const { flag, done } = await filesFor(drover, "kills");
  const levels = ["a", "b", "c"].map((name) => recorded(name, done, name === "c" ? flag : null)).join("");
  await drover.apply(
    `${shop(flag)}ladder: demo\nsettle: 300ms\nsoon: 0s\nlevels:\n${levels}checks:\n  flag: ${check("/flag", "a")}\nguard: { actions_per_hour: 10000 }\n`,
  );
  for (let killed = 0; killed < kills; ) {
    await writeFile(flag, "");
    const before = (await readFile(done, "utf8")).length;
    await delay(random() * 1_500);
    do {
      await drover.kill("server");
      killed++;
      await drover.until("the server answers again", async () => (await drover.cli(["status"])).code !== 1);
      await delay(random() * 700);
    } while (killed < kills && random() < 0.6);
    const isOver = async () => {
      const all = await runs(drover);
      return all.every(({ outcome }) => outcome !== null) && (await readFile(done, "utf8")).length > before;
    };
    await drover.until(`the run after ${killed} kills ends`, isOver).catch(async (error: unknown) => {
      const seen = await Promise.all([drover.cli(["escalation", "ls"]), drover.cli(["check", "ls"]), drover.cli(["events", "-n", "40"])]);
      throw new Error(`${seen.map(({ stdout }) => stdout).join("\n")}${(await readFile(done, "utf8")).slice(-500)}`, { cause: error });
    });
  }
  const lines = (await readFile(done, "utf8")).trimEnd().split("\n");
  assert.deepEqual(
    lines.filter((line, i) => lines.indexOf(line) !== i),
    [],
    "each attempt of each step ran once",
  );
  const byRun = Map.groupBy(lines, (line) => line.slice(0, line.lastIndexOf("/", line.lastIndexOf("/") - 1)));
  for (const [run, own] of byRun)
    assert.deepEqual(
      own.map((line) => line.split("/").at(-2)),
      ["a", "b", "c"],
      `${run} went through its levels in order`,
    );
  assert.deepEqual(
    (await runs(drover))
      .filter(({ outcome }) => outcome?.kind !== "done" && outcome?.kind !== "recovered")
      .map(({ id, outcome }) => `${id} ${outcome?.kind}`),
    [],
  );
}
