import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestDrover } from "../harness/drover.ts";

let drover: TestDrover;
before(async () => {
  drover = await TestDrover.start();
  const says = [
    'echo \'{"level":"error","msg":"payment failed","order":4711}\'',
    "echo 'INFO ready'",
    "printf 'Error: broken\\n    at main (a.js:1:2)\\n'",
    "printf 'evil \\033]0;owned\\007 <script>x</script> \\377\\n'",
    "exec sleep 1000",
  ].join("; ");
  await drover.apply(`space: shop\n---\napp: says\nrun: ${JSON.stringify(says)}\nport: none\n`);
});
after(() => drover[Symbol.asyncDispose]());

test("searches of the command line reach what apps said, by words, fields and levels, over all machines", async () => {
  await drover.until("all is said", async () =>
    (await drover.cli(["logs", "--space", "shop", "--search", "evil"])).stdout.includes("evil"),
  );
  const found = await drover.cli(["logs", "shop/says", "--field", "order=4711"]);
  assert.match(found.stdout, /web\.1\.\w+ \{"level":"error","msg":"payment failed","order":4711\}\n$/);
  const bad = await drover.cli(["logs", "shop/says", "--level", "error", "--json"]);
  const events = bad.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { text: string; lines: number });
  assert.deepEqual(
    events.map(({ lines }) => lines),
    [1, 2],
  );
  const around = await drover.cli(["logs", "shop/says", "--search", "broken", "--context", "1"]);
  assert.match(around.stdout, /^ {2}.* INFO ready\n> .* Error: broken\n.* {4}at main \(a\.js:1:2\)\n {2}.*evil/);
  const counted = await drover.cli(["logs", "shop/says", "--histogram", "--json"]);
  const { buckets } = JSON.parse(counted.stdout) as { buckets: number[][] };
  assert.equal(buckets.flat().reduce((sum, one) => sum + one, 0) >= 4, true);
});

test("what an app prints to harm its readers does not reach their terminal", async () => {
  const { stdout } = await drover.cli(["logs", "shop/says", "--search", "evil"]);
  assert.match(stdout, /evil \\x1b\]0;owned\\x07 <script>x<\/script> \ufffd/);
});

test("a value of a secret that an app prints is shown to nobody", async () => {
  await drover.cli(["secret", "set", "API_KEY", "--space", "shop"], { input: "hunter2-hunter2" });
  await drover.apply('space: shop\n---\napp: tells\nrun: echo "key=$API_KEY"; exec sleep 1000\nport: none\nsecrets: [API_KEY]\n');
  for (const args of [
    ["logs", "shop/tells"],
    ["logs", "shop/tells", "--search", "key"],
    ["logs", "shop/tells", "--search", "key", "--json"],
  ]) {
    await drover.until("it is shown", async () => (await drover.cli(args)).stdout.includes("key="));
    const { stdout } = await drover.cli(args);
    assert.match(stdout, /key=\*{6}/);
    assert.doesNotMatch(stdout, /hunter2/);
  }
  // A guess of it finds nothing either, however it is asked.
  for (const args of [
    ["logs", "shop/tells", "--search", "hunter2"],
    ["logs", "shop/tells", "--grep", "hunter2"],
    ["logs", "shop/tells", "--field", "key=hunter2-hunter2"],
  ])
    assert.equal((await drover.cli(args)).stdout, "", args.join(" "));
  assert.match((await drover.cli(["logs", "shop/tells", "--search", "-hunter2"])).stdout, /key=\*{6}/);
  const counted = await drover.cli(["logs", "shop/tells", "--histogram", "--search", "hunter2", "--json"]);
  assert.equal(
    (JSON.parse(counted.stdout) as { buckets: number[][] }).buckets.flat().reduce((sum, one) => sum + one),
    0,
  );
});

test("a check on logs fails when more events match than may, and passes where they do not", async () => {
  await drover.apply(`space: shop
---
ladder: production
levels: [{ name: app, do: app.restart }]
checks:
  payments: { log: { search: payment failed, over: 1h }, app: says, level: app, every: 1s, failures: 1 }
  quiet: { log: { search: "level>=error", most: 500, over: 1h }, every: 1s }
`);
  interface Checks {
    readonly checks: readonly { readonly id: string; readonly verdict: string; readonly message: string }[];
  }
  let seen: Checks = { checks: [] };
  await drover.until("both are judged", async () => {
    seen = JSON.parse((await drover.api("GET", "/v1/spaces/shop/checks")).body) as Checks;
    return seen.checks.length === 2 && seen.checks.every(({ verdict }) => verdict !== "unknown");
  });
  const of = (name: string) => seen.checks.find(({ id }) => id.startsWith(name));
  assert.equal(of("payments")?.verdict, "failing");
  assert.match(
    of("payments")?.message ?? "",
    /^\d+ events? match(?:es)? "payment failed" within 3600 s, 0 may; the latest: \{"level":"error"/,
  );
  assert.equal(of("quiet")?.verdict, "ok");
  await drover.until("it escalates", async () =>
    (await drover.api("GET", "/v1/spaces/shop/escalations")).body.includes('"target":"app/says"'),
  );
});

test("a saved search is kept, used and forgotten, and who did it is told", async () => {
  const saved = await drover.cli(["search", "save", "payments", "payment failed", "--app", "shop/says"]);
  assert.equal(saved.code, 0, saved.stderr);
  assert.match((await drover.cli(["logs", "--space", "shop", "--saved", "payments"])).stdout, /payment failed/);
  assert.match((await drover.cli(["search", "ls", "--space", "shop"])).stdout, /payments +says +payment failed +owner/);
  const removed = await drover.cli(["search", "rm", "payments", "--space", "shop"]);
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal((await drover.cli(["logs", "--space", "shop", "--saved", "payments"])).code, 7);
  assert.match((await drover.cli(["events", "--space", "shop"])).stdout, /search\.saved.*owner saved the search "payments"/);
});

test("Drover's own lines are for operators", async () => {
  const own = await drover.cli(["logs", "--own", "--search", "linked"]);
  assert.match(own.stdout, /drover\/server\/main/);
  const { token } = JSON.parse((await drover.cli(["token", "create", "looker", "--role", "viewer", "--json"])).stdout) as { token: string };
  const asked = await fetch(`http://127.0.0.1:${drover.apiPort}/v1/logs/events?own`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(asked.status, 403);
  const seen = await fetch(`http://127.0.0.1:${drover.apiPort}/v1/logs/events?q=linked`, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual(((await seen.json()) as { events: unknown[] }).events, []);
});

test("what matches is told as it comes, to whoever follows", async () => {
  const stop = new AbortController();
  const token = await drover.token();
  const answer = await fetch(`http://127.0.0.1:${drover.apiPort}/v1/logs/tail?space=shop&q=second`, {
    headers: { authorization: `Bearer ${token}` },
    signal: stop.signal,
  });
  await drover.apply("space: shop\n---\napp: later\nrun: echo first; echo second; exec sleep 1000\nport: none\n");
  const reader = answer.body?.getReader();
  let text = "";
  while (!text.includes("\n")) text += new TextDecoder().decode((await reader?.read())?.value);
  assert.equal((JSON.parse(text.trim()) as { event: { text: string } }).event.text, "second");
  stop.abort();
});

test("what a build, a command and Drover's own programs print is found by whose lines they are, and an app's lines stay its own", async () => {
  const folder = join(drover.home, "work", "built");
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "drover.yaml"),
    "app: built\nsource: .\nbuild: { run: echo build-canary }\nrun: echo app-canary; exec sleep 1000\nport: none\nbefore: echo before-canary\n",
  );
  const pushed = await drover.cli(["push", folder, "--space", "shop"]);
  assert.equal(pushed.code, 0, pushed.stderr);
  const ran = await drover.cli(["run", "shop/built", "--no-terminal", "--", "echo", "run-canary"]);
  assert.match(ran.stdout, /run-canary/);
  const of = async (kind: string) => (await drover.cli(["logs", "shop/built", "--of", kind])).stdout;
  for (const kind of ["build", "run", "before", "app"])
    await drover.until(`the ${kind} is found`, async () => (await of(kind)).includes(`${kind}-canary`));
  assert.doesNotMatch(await of("run"), /(build|before|app)-canary/);
  assert.match(await of("run"), /_run\.1\.\w+ \[drover\] the command exited with 0/);
  const own = (await drover.cli(["logs", "shop/built"])).stdout;
  assert.match(own, /before-canary[\s\S]*app-canary/);
  assert.doesNotMatch(own, /(build|run)-canary/);
  assert.match(
    (await drover.cli(["logs", "--of", "agent", "--search", "agent"])).stdout,
    /drover\/agent\/main\.0\.agent .*"message":"agent started"/,
  );
  assert.equal((await drover.cli(["logs", "shop/built", "--of", "builds"])).code, 2);
});

test("how long a space's lines are kept is declared, told to the machine, and shown", async () => {
  await drover.apply("space: shop\nlogs: { keep: { age: 30d, size: 256MiB } }\n");
  await drover.until("the machine is told", async () =>
    (await readFile(join(drover.home, "agent", "logs", "keep.json"), "utf8").catch(() => "")).includes(`"bytes":${256 * 2 ** 20}`),
  );
  const shown = await drover.cli(["logs", "--kept", "--space", "shop"]);
  assert.match(shown.stdout, /SPACE +MACHINE +SINCE +LINES +SIZE +KEEPS +AT MOST\nshop +\S+ +.* +\d+ +\S+ *\S* +30d +256 ?MiB/);
});

test("what is asked for wrongly is refused with the next step, not answered with nothing", async () => {
  for (const args of [
    ["logs", "shop/sayz", "--search", "x"],
    ["logs", "shop/sayz", "--histogram"],
    ["timeline", "shop/sayz"],
    ["feedback", "shop/sayz"],
  ]) {
    const { code, stderr } = await drover.cli(args);
    assert.equal(code, 7, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, /no app "sayz"[\s\S]*Did you mean "says"\?/);
  }
  assert.equal((await drover.cli(["logs", "shop/says", "--histogram", "-f"])).code, 2);
  const badName = await drover.cli(["search", "save", "Bad name", "x", "--space", "shop"]);
  assert.match(badName.stderr, /"Bad name" is no name of a search[\s\S]*failed-payments/);
  assert.equal((await drover.cli(["search", "save", "failed-payments", "x", "--space", "shop"])).code, 0);
  const explained = await drover.cli(["explain", "payments@app/says", "--space", "shop"]);
  assert.match(explained.stdout, /payments@app\/says is \w+\. If it failed now:/, explained.stderr);
  assert.match(explained.stderr, /drover check show payments@app\/says --space shop/);
});
