import assert from "node:assert/strict";
import { once } from "node:events";
import { access, chmod, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { nodeProcessesOf, processesOf, root, TestDrover } from "../harness/drover.ts";
import { TestMachines } from "../harness/machines.ts";

/** What keeps escalations from doing harm, with the real server and its real probes. */

interface View {
  readonly id: string;
  readonly target: string;
  readonly level: string | null;
  readonly outcome: { readonly kind: string } | null;
}

/** Answers for machines by their names in the path, and takes what people are told. */
class Outside implements AsyncDisposable {
  readonly broken = new Set<string>();
  readonly told: string[] = [];
  /** How often each machine was asked since it was last forgotten. */
  readonly asked = new Map<string, number>();
  readonly #server = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const name = request.url?.slice(1) ?? "";
    if (name === "hook") this.told.push(...(JSON.parse(body) as { notices: { text: string }[] }).notices.map(({ text }) => text));
    else this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    response.writeHead(this.broken.has(name) ? 500 : 200).end();
  });

  async open(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function start(): Promise<{ readonly drover: TestDrover; readonly done: string }> {
  const drover = await TestDrover.start({ args: ["--allow-outgoing", "127.0.0.1"] });
  const done = await drover.file("done", "");
  await chmod(join(drover.home, "work"), 0o777);
  await chmod(done, 0o666);
  return { drover, done };
}

const escalations = async (drover: TestDrover): Promise<readonly View[]> =>
  JSON.parse(await drover.run("escalation", "ls", "--json")).escalations;
const linesOf = async (file: string) => (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");

describe("what keeps escalations from doing harm", { concurrency: true }, () => {
  test("15 of 50 machines failing at once rebuild nothing and people are told once; one alone is mended", async () => {
    const { drover, done } = await start();
    await using _ = drover;
    await using outside = new Outside();
    const url = await outside.open();
    await using machines = new TestMachines(drover, 50);
    await drover.apply(
      `ladder: demo\nsettle: 500ms\nlevels: [{ name: machine, each: machine, run: "echo $TARGET >> ${done}", quiet: 0s, attempts: 5 }]\nchecks:\n  answers: { http: "${url}/{target}", each: machine, level: machine, every: 1s, failures: 2 }\ntell: [{ webhook: "${url}/hook" }]\n`,
    );
    await drover.until("every machine is seen well", async () => {
      const { checks } = JSON.parse((await drover.cli(["check", "ls", "--json"])).stdout) as { checks: { verdict: string }[] };
      return checks.length > machines.names.length && checks.every(({ verdict }) => verdict === "ok");
    });

    const [alone = "", ...others] = machines.names;
    outside.broken.add(alone);
    await drover.until("one machine alone is acted on", async () => (await linesOf(done)).includes(alone));
    outside.broken.delete(alone);
    await drover.until("and is well", async () => (await drover.cli(["check", "ls"])).code === 0);
    await drover.until("its runs have ended", async () => (await escalations(drover)).every(({ outcome }) => outcome !== null));
    const before = await linesOf(done);

    // Paused until all of them are seen to fail, which takes as long as the machine is busy; only then is anything decided.
    await drover.run("ladder", "pause");
    const many = others.slice(0, 15);
    for (const name of many) outside.broken.add(name);
    await drover.until("they are seen to fail", async () => {
      const { checks } = JSON.parse((await drover.cli(["check", "ls", "--json"])).stdout) as { checks: { verdict: string }[] };
      return checks.filter(({ verdict }) => verdict === "failing").length >= many.length;
    });
    await drover.run("ladder", "resume");
    await drover.until("people are told", async () => outside.told.length > 0);
    // Far beyond the settle window, which is half a round.
    outside.asked.clear();
    await drover.until("they failed many times more", async () => many.every((name) => (outside.asked.get(name) ?? 0) >= 4));
    assert.deepEqual(await linesOf(done), before, "nothing was rebuilt");
    assert.equal(outside.told.length, 1, outside.told.join("\n"));
    assert.match(outside.told[0] ?? "", /1[1-9] of 51 machines/);

    // Paused again: below so many that fail at once, those that were not yet seen well would be acted on.
    await drover.run("ladder", "pause");
    for (const name of many) outside.broken.delete(name);
    await drover.until("all are seen well", async () => (await drover.cli(["check", "ls"])).code === 0);
    await drover.run("ladder", "resume");
    await drover.until("what mended itself is let be", async () => (await escalations(drover)).every(({ outcome }) => outcome !== null));
    assert.deepEqual(await linesOf(done), before);
    assert.equal(outside.told.length, 1, "nobody is told that nothing is wrong any more, as if it were something new");
  });

  test("a monitor that goes blind causes nothing: what looks as if it were broken is not touched, and people are told once", async () => {
    const { drover, done } = await start();
    await using _ = drover;
    await using outside = new Outside();
    const url = await outside.open();
    const app = `app: shop\nrun: exec node ${join(root, "test/fixtures/breakable.mjs")}\n---\n`;
    const check = `{ http: "http://shop.default.localhost/", from: [server, agent, edge], every: 1s, failures: 2, level: app, app: shop }`;
    await drover.apply(
      `${app}ladder: demo\nsettle: 2s\nlevels: [{ name: app, each: app, run: "echo $TARGET >> ${done}", quiet: 0s }]\nchecks: { smoke: ${check} }\ntell: [{ webhook: "${url}/hook" }]\n`,
    );
    await drover.until("all three places see it well", async () => {
      const { checks } = JSON.parse((await drover.cli(["check", "ls", "--json"])).stdout) as {
        checks: { verdict: string; probes: object }[];
      };
      return checks.every(({ verdict, probes }) => verdict === "ok" && Object.keys(probes).length === 3);
    });
    // Both are frozen: the agent looks no more, and what the server sees through the edge is that nothing answers.
    const frozen = [drover.agentPid, ...(await nodeProcessesOf(drover.home, "src/edge/"))];
    for (const pid of frozen) process.kill(pid, "SIGSTOP");
    try {
      await drover.until("people are told", async () => outside.told.length > 0);
      assert.match(outside.told[0] ?? "", /2 of 3 probes/);
      assert.ok((await escalations(drover)).every(({ outcome }) => outcome?.kind !== "done"));
    } finally {
      for (const pid of frozen) process.kill(pid, "SIGCONT");
    }
    await drover.until("it is seen well again", async () => (await drover.cli(["check", "ls"])).code === 0);
    await drover.until("nothing is open", async () => (await escalations(drover)).every(({ outcome }) => outcome !== null));
    assert.deepEqual(await linesOf(done), [], "nothing was done");
    assert.deepEqual(outside.told.filter((text) => /probes/.test(text)).length, 1);
  });

  test("actions that hang, flood, lie or leave children behind are ended and judged by their check, and what a check says is never run", async () => {
    const { drover, done } = await start();
    await using _ = drover;
    const flag = join(drover.home, "work", "flag");
    const pwned = join(drover.home, "work", "pwned");
    const mark = "31999";
    const commands = [
      `echo hangs >> ${done}; setsid sleep ${mark} & exec sleep ${mark}`,
      `echo floods >> ${done}; head -c 20971520 /dev/zero | tr '\\0' x`,
      `echo lies >> ${done}; setsid sleep ${mark} & exit 0`,
      `echo mends >> ${done}; rm -f ${flag}`,
    ];
    const [first, ...rest] = commands.map((run) => JSON.stringify(run));
    const says = JSON.stringify(`test ! -e ${flag} || { echo '$(touch ${pwned}) \`touch ${pwned}\`; touch ${pwned}'; exit 1; }`);
    await drover.apply(
      `ladder: demo\nsettle: 100ms\nlevels:\n  - { name: all, run: ${first}, timeout: 6s, attempts: 1, quiet: 1500ms, retry: 0s, check: well, then: [${rest.map((run) => `{ run: ${run} }`).join(", ")}] }\nchecks: { well: { run: ${says}, level: all, every: 2s, failures: 2 } }\ntell: [{ run: "echo told $DROVER_TEXT >> ${done}" }]\n`,
    );
    await drover.until("it is well", async () => (await drover.run("check", "ls")).includes(" ok "));
    await writeFile(flag, "");
    await drover.until("it is mended", async () => (await escalations(drover))[0]?.outcome?.kind === "done");
    assert.deepEqual(await linesOf(done), ["hangs", "floods", "lies", "mends"]);
    const [run] = await escalations(drover);
    const { steps } = JSON.parse(await drover.run("escalation", "show", run?.id ?? "", "--json")) as {
      steps: { ended: { result: string; output: string }; verdict: { kind: string } }[];
    };
    assert.deepEqual(
      steps.map(({ ended, verdict }) => `${ended.result} ${verdict.kind}`),
      ["timed-out failed", `${steps[1]?.ended.result} failed`, "ok failed", "ok passed"],
      "the flood may take until its time is over",
    );
    for (const { ended } of steps) assert.ok(ended.output.length <= 100_000, `${ended.output.length} characters are kept`);
    assert.deepEqual(await processesOf(drover.home, mark), [], "no child is left");
    assert.match(await drover.run("check", "history", "well@space"), /\$\(touch /);

    // The same words reach a command that tells people, as text.
    const asks = `ladder: demo\nsettle: 100ms\nlevels: [{ name: all, run: "false", attempts: 1, quiet: 0s, retry: 0s }]\nchecks: { well: { run: ${says}, level: all, every: 2s, failures: 2 } }\ntell: [{ run: "echo \\"told $DROVER_TEXT\\" >> ${done}" }]\n`;
    await drover.apply(asks);
    await writeFile(flag, "");
    await drover.until("people are told", async () => (await linesOf(done)).some((line) => line.startsWith("told ")));
    await assert.rejects(access(pwned), { code: "ENOENT" });
    await rm(flag);
  });
});
