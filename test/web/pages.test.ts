import assert from "node:assert/strict";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { freePorts } from "#host/testing/free-ports.ts";
import { root, TestDrover } from "../harness/drover.ts";
import { TestMachines } from "../harness/machines.ts";
import { WebBrowser, withoutChromium } from "./browser.ts";

const options = { skip: withoutChromium };
const fixture = (name: string) => join(root, "test", "fixtures", name);
const host = "http://shop.default.localhost";

let drover: TestDrover;
let web: WebBrowser;

/** Goes to a path of the site, as somebody who types it. */
const open = (path: string) => web.page.goto(`http://127.0.0.1:${drover.apiPort}${path}`);
const press = (name: string) => web.page.getByRole("button", { name, exact: true }).first().click();
const see = (text: string | RegExp) => web.page.getByText(text).first().waitFor();

/** Leaves pictures of the page, and fails for what keeps people from using it and for what went wrong in it. */
async function judge(name: string): Promise<void> {
  await web.pictures(name);
  assert.deepEqual(await web.violations(), [], name);
  assert.deepEqual(web.errors, [], name);
}

/** Hides a page as a switch to another tab does, which ends its streams; or shows it again. */
const setHidden = (page: Page, isHidden: boolean) =>
  page.evaluate(
    `Object.defineProperty(document, "hidden", { configurable: true, get: () => ${isHidden} }); document.dispatchEvent(new Event("visibilitychange"))`,
  );

before(async () => {
  if (withoutChromium !== false) return;
  const [link = 0] = await freePorts(1);
  drover = await TestDrover.start({ args: ["--link", `127.0.0.1:${link}`] });
  const flag = await drover.file("flag", "");
  await rm(flag);
  const check = (path: string, level: string) =>
    `{ http: "${host}${path}", level: ${level}, every: 1s, timeout: 1s, failures: 1, app: shop }`;
  await drover.apply(
    [
      `app: shop\nrun: exec node ${fixture("breakable.mjs")}\nenv: { FLAG: ${JSON.stringify(flag)}, MODE: first }`,
      `app: loud\nrun: exec node ${fixture("hostile-output.mjs")}\nscale: { max: 3, on: { rps: 1000 } }`,
      `app: broken\nrun: exec node ${fixture("exits.mjs")}`,
      `ladder: demo\nsettle: 100ms\nlevels:\n  - { name: infra, run: "true", quiet: 1h, attempts: 1, approve: true }\n  - { name: app, do: app.restart, quiet: 1s }\nchecks:\n  smoke: ${check("/", "app")}\n  flag: ${check("/flag", "infra")}`,
    ].join("\n---\n"),
    "--detach",
  );
  await drover.until("the good ones are ready", async () => {
    const { apps } = JSON.parse(await drover.run("apps", "--json")) as { apps: { name: string; health: string }[] };
    return apps.filter(({ name, health }) => name !== "broken" && health === "ready").length === 2;
  });
  web = await WebBrowser.open((await drover.run("ui", "--print")).trim());
});

after(async () => {
  if (withoutChromium !== false) return;
  await web?.[Symbol.asyncDispose]();
  await drover[Symbol.asyncDispose]();
});

test("a link of drover ui logs in once, and leaves no ticket behind", options, async () => {
  assert.equal(web.page.url(), `http://127.0.0.1:${drover.apiPort}/`);
  const link = (await drover.run("ui", "--print")).trim();
  await using other = await WebBrowser.open(link);
  await other.page.context().clearCookies();
  await other.page.evaluate("localStorage.clear()");
  await other.page.goto("about:blank");
  await other.page.goto(link);
  await other.page.getByText("was used before").waitFor();
  assert.deepEqual(await other.violations(), []);
});

test("the overview says what is well and what is not, and changes as that does", options, async () => {
  await open("/");
  await see("1 thing is wrong");
  await web.page.getByRole("list", { name: "Now" }).getByText("Read the last lines in").waitFor();
  await web.page
    .getByRole("row", { name: /default\/shop/ })
    .getByText("ready")
    .waitFor();
  await drover.run("stop", "loud");
  await web.page
    .getByRole("row", { name: /default\/loud/ })
    .getByText("○stopped")
    .waitFor();
  await drover.run("start", "loud");
  await web.page
    .getByRole("row", { name: /default\/loud/ })
    .getByText("ready")
    .waitFor();
  await judge("overview");
});

test("everything is reached with the keyboard alone, and the address says what is shown", options, async () => {
  await open("/");
  await see("default/");
  await web.page.keyboard.press("/");
  await web.page.getByRole("combobox", { name: /^Find/ }).waitFor();
  await web.page.keyboard.type("shop");
  await web.page.getByRole("option", { name: /default\/shop/ }).waitFor();
  await judge("palette");
  await web.page.keyboard.press("Enter");
  await web.page.waitForURL("**/spaces/default/apps/shop");
  await web.page.goBack();
  await web.page.getByLabel("Filter apps by name").fill("lou");
  await web.page.getByRole("row", { name: /default\/shop/ }).waitFor({ state: "detached" });
  assert.match(web.page.url(), /\?q=lou$/);
});

test("an app is scaled from its page, which shows the command that does the same", options, async () => {
  await open("/spaces/default/apps/shop");
  await press("Scale");
  await web.page.getByRole("spinbutton", { name: "web" }).fill("2");
  await see("drover scale default/shop web=2");
  await judge("scale");
  await web.page.getByRole("dialog").getByRole("button", { name: "Scale", exact: true }).click();
  await web.page.getByRole("table", { name: "Instances" }).getByRole("row").nth(2).getByText("ready").waitFor();
  await web.page.getByRole("img", { name: /^well/ }).waitFor();
  await judge("app");
});

test("an app that follows its load says how many it needs and why, and is not scaled by hand", options, async () => {
  await open("/spaces/default/apps/loud");
  await web.page.getByRole("table", { name: "Scaling" }).getByText("`min` is 1").waitFor();
  await web.page.getByTitle("Its processes follow their load").waitFor();
  await judge("app-scaling");
});

test("releases show what differs, and one is gone back to", options, async () => {
  await drover.run("env", "set", "shop", "MODE=second");
  await open("/spaces/default/apps/shop/releases");
  await web.page.getByText("1 changed since release 1").click();
  await see("+ second");
  await web.page.getByLabel("From release").selectOption("2");
  await see("Nothing differs between release 2 and release 2.");
  await web.page.getByLabel("To release").selectOption("1");
  await web.page.getByText("+ first").waitFor();
  assert.match(web.page.url(), /\?from=2&to=1$/);
  await judge("releases");
  await web.page.getByRole("button", { name: "Roll back" }).nth(1).click();
  await see("drover rollback default/shop 1");
  await web.page.getByRole("dialog").getByRole("button", { name: "Roll back", exact: true }).click();
  await see("1 changed since release 2");
});

test("a rollout shows how much each release gets and how it does with it; routes say what takes them", options, async () => {
  const release = (path: string) =>
    `app: slow\nrun: exec node ${fixture("breakable.mjs")}\nenv: { MODE: "${path}" }\ndeploy: { strategy: canary, steps: [50%], hold: 1h }`;
  await drover.apply(release("first"));
  const busy = setInterval(() => void drover.get("slow.default.localhost", "/").catch(() => {}), 20);
  try {
    await open("/spaces/default/apps/slow/routes");
    const row = web.page.getByRole("row", { name: /slow\.default\.localhost/ });
    await row.getByText("in force").waitFor();
    await row.getByText("0 %", { exact: true }).waitFor();
    await judge("routes");
    await drover.apply(release("second"), "--detach");
    await open("/spaces/default/apps/slow");
    const releases = web.page.getByRole("table", { name: "Releases" });
    await releases.getByRole("row", { name: /^2/ }).getByText("0 %", { exact: true }).waitFor();
    await releases.getByRole("row", { name: /^1/ }).getByText("0 %", { exact: true }).waitFor();
    await judge("rollout");
  } finally {
    clearInterval(busy);
  }
  // A page about an app that goes would ask for it once more.
  await open("/");
  await drover.run("destroy", "slow", "--yes");
});

test("an app that does not come up says why", options, async () => {
  await open("/spaces/default/apps/broken");
  await web.page.getByRole("list", { name: "Why it is so" }).getByText("Read the last lines in").waitFor();
  await judge("app-broken");
  await web.page.getByRole("list", { name: "Why it is so" }).getByRole("link", { name: "RELEASE_FAILED" }).click();
  await web.page.getByRole("list", { name: "Conditions" }).getByText("of app").waitFor();
  assert.match(web.page.url(), /conditions\?q=RELEASE_FAILED$/);
  await web.page.getByLabel("Filter conditions by words").fill("disk");
  await see("STORAGE_FULL");
  await judge("conditions");
});

test("hostile output is text: no markup acts, no escape reaches anything, nothing turns the line", options, async () => {
  await open("/spaces/default/apps/loud/logs");
  await see("<img src=x onerror=");
  await see("␛]0;owned␇␛]52;c;b3duZWQ=␇red");
  await see("user\\u202egpj.exe");
  assert.equal(await web.page.title(), "default/loud – Drover");
  assert.equal(await web.page.locator("main img, main script").count(), 0);
  await web.page.getByLabel("Only lines with this text").fill("zalgo");
  await web.page.getByText("<img src=x").first().waitFor({ state: "detached" });
  await judge("logs");
});

test("logs are searched over all instances, counted over time, shown with what stands around a hit, and followed", options, async () => {
  await open("/logs?app=default%2Floud&last=15m");
  const table = web.page.getByRole("table", { name: "Events of logs" });
  await table.getByText("<img src=x onerror=").first().waitFor();
  assert.equal(await web.page.locator("main img, main script").count(), 0);
  await web.page.getByRole("searchbox", { name: "Search" }).fill("level>=");
  await web.page.getByRole("alert").waitFor();
  web.forgive(/status of 4\d\d/);
  await web.page.getByRole("searchbox", { name: "Search" }).fill("gpj.exe");
  await table.getByText("<img src=x").first().waitFor({ state: "detached" });
  await table.getByText("user\\u202egpj.exe").first().waitFor();
  assert.match(web.page.url(), /q=gpj.exe/);
  await press("Save");
  await web.page.getByRole("dialog").getByLabel("name").fill("turned");
  await web.page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
  await web.page.getByLabel("Saved searches").locator("option", { hasText: "turned" }).waitFor({ state: "attached" });
  await press("Follow");
  await web.page.getByRole("button", { name: "Stop", exact: true }).nth(0).waitFor();
  await judge("logs-explorer");
  // Both pages lose their streams, and the app says everything once more meanwhile.
  const tab = await web.page.context().newPage();
  await tab.goto(`http://127.0.0.1:${drover.apiPort}/spaces/default/apps/loud/logs`);
  const lines = tab.getByRole("log").getByText("user\\u202egpj.exe");
  const events = table.getByText("user\\u202egpj.exe");
  const before = (await drover.run("logs", "loud", "-n", "10000")).split("gpj.exe").length - 1;
  for (const shown of [lines, events]) await shown.nth(before - 1).waitFor();
  for (const page of [web.page, tab]) await setHidden(page, true);
  await drover.run("restart", "loud");
  for (const page of [web.page, tab]) await setHidden(page, false);
  for (const shown of [lines, events]) await shown.nth(before).waitFor();
  assert.deepEqual([await lines.count(), await events.count()], [before + 1, before + 1]);
  await tab.close();
  await table.getByRole("button").first().click();
  const context = web.page.getByRole("list", { name: "What its instance said around it" });
  await context.getByText("<img src=x").first().waitFor();
  await judge("log-event");
  await web.page.keyboard.press("Escape");
  await context.waitFor({ state: "detached" });
});

test("the configuration names secrets and shows none", options, async () => {
  await drover.cli(["secret", "set", "KEY"], { input: "hunter2hunter2" });
  await drover.apply(`app: keyed\nrun: exec sleep 1000\nenv: { A: b }\nsecrets: [KEY]`, "--detach");
  await open("/spaces/default/apps/keyed/configuration");
  await see("secret, never shown");
  assert.ok(!(await web.page.content()).includes("hunter2"));
  await judge("configuration");
});

test("a terminal runs in an instance, in colours, through a flood, and ends with the session", options, async () => {
  await open("/spaces/default/apps/shop/terminal");
  await press("Open");
  await see(/a shell in web/);
  const screen = web.page.locator(".xterm-rows");
  await web.page.keyboard.type(
    "printf 'six \\033[32mseven\\033[0m %s\\n' $((6*7)); head -c 10000000 /dev/zero | tr '\\0' x; echo; echo fl''ood over\n",
  );
  await screen.getByText("flood over").waitFor();
  await judge("terminal");
  const { sessions } = JSON.parse(await drover.run("session", "ls", "--json")) as { sessions: { id: string; usedAtMs: number }[] };
  for (const { id } of sessions) await drover.run("session", "end", id);
  await see("not logged in");
  web.forgive(/status of 401/);
  await web.page.goto((await drover.run("ui", "--print")).trim());
  await web.page.getByRole("navigation", { name: "Pages" }).waitFor();
});

test("the ladder shows who is on which level; a person approves, and the timeline tells it", options, async () => {
  await open("/spaces/default/escalator");
  await see("asked by");
  await judge("ladder");
  await writeFile(join(drover.home, "work", "flag"), "");
  await web.page.getByRole("listitem").filter({ hasText: "infra" }).getByRole("link").first().waitFor();
  await web.page.getByRole("listitem").filter({ hasText: "infra" }).getByRole("button", { name: "Approve" }).waitFor();
  await judge("ladder-waiting");
  await press("Pause");
  await web.page.getByLabel("What is paused").selectOption("app/shop");
  await see("drover ladder pause app/shop --for 1h --space default");
  await judge("ladder-pause");
  await web.page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click();
  await press("Resume");
  await web.page.getByRole("dialog").getByRole("button", { name: "Resume", exact: true }).click();
  await web.page.getByRole("button", { name: "Resume", exact: true }).waitFor({ state: "detached" });
  await web.page.getByRole("listitem").filter({ hasText: "infra" }).getByRole("link").first().click();
  await press("Approve");
  await web.page.getByRole("dialog").getByRole("button", { name: "Approve", exact: true }).click();
  await see("approved");
  await judge("escalation");
  await open("/spaces/default/escalator/checks");
  await see("flag@app/shop");
  await judge("checks");
  await open("/spaces/default/escalator/simulate?fail=smoke%40app%2Fshop");
  await press("Play an hour");
  await web.page.getByRole("list", { name: "What would happen" }).getByRole("listitem").first().waitFor();
  await judge("simulate");
  await press("Pause");
  await web.page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click();
  await see(/paused by/);
  await open("/spaces/default/escalator/runs");
  await see("space@");
  await judge("escalations");
});

test("a manifest is edited with completion, judged as it is typed, planned and applied", options, async () => {
  await open("/manifest?of=default%2Fshop");
  const editor = web.page.getByRole("textbox", { name: "Manifest" });
  await editor.getByText("breakable.mjs").waitFor();
  await web.page.getByRole("list", { name: "What would change" }).getByText("default/shop").waitFor();
  await editor.press("Control+End");
  await web.page.keyboard.type("instances: many");
  await see(/found "many", wanted/);
  web.forgive(/status of 422/);
  await judge("manifest-wrong");
  for (let i = 0; i < "many".length; i++) await web.page.keyboard.press("Backspace");
  await web.page.keyboard.type("3\nneed");
  await web.page.getByRole("option", { name: /^needs/ }).waitFor();
  await web.page.keyboard.press("Escape");
  for (let i = 0; i < "need".length; i++) await web.page.keyboard.press("Backspace");
  await web.page.getByRole("list", { name: "What would change" }).getByText("+ 3").waitFor();
  web.forgive(/status of 422/);
  await judge("manifest");
  await press("Apply");
  await web.page.getByRole("dialog").getByRole("button", { name: "Apply", exact: true }).click();
  await see("Applied at revision");
});

test("versions say what is wanted, what runs and what it says of itself; and how changes went", options, async () => {
  await open("/versions");
  const row = web.page.getByRole("table", { name: "Versions" }).getByRole("row", { name: /default\/loud/ });
  await row.getByText("agrees").waitFor();
  await row.getByRole("link", { name: "instances" }).click();
  await web.page.getByRole("table", { name: "Instances" }).getByRole("row").nth(1).waitFor();
  await web.page
    .getByRole("table", { name: "Drover itself" })
    .getByRole("row", { name: /server/ })
    .getByText("agrees")
    .waitFor();
  await web.page
    .getByRole("table", { name: "Feedback" })
    .getByRole("row", { name: /default\/loud/ })
    .waitFor();
  assert.match(web.page.url(), /app=default%2Floud$/);
  await judge("versions");
});

test("metrics are drawn over time, by app and by machine, and any of them by its labels", options, async () => {
  await open("/graphs");
  await web.page.getByRole("link", { name: "drover_app_instances_ready" }).click();
  const legend = web.page.getByRole("table", { name: "Figures of drover_app_instances_ready" });
  await web.page.getByRole("checkbox", { name: "app" }).check();
  await legend.getByRole("row", { name: /loud/ }).waitFor();
  await judge("metrics");
  await web.page.getByLabel("Only series with").selectOption("app=loud");
  await legend.getByRole("row", { name: /shop/ }).waitFor({ state: "detached" });
  assert.match(web.page.url(), /by=app&match=app%3Dloud/);
  await open("/spaces/default/apps/loud/metrics");
  await web.page.getByRole("table", { name: "Figures of Memory by instance" }).getByText("MiB").first().waitFor();
  await judge("app-metrics");
  await web.page.getByRole("region", { name: "Memory by instance" }).getByRole("link", { name: "explore" }).click();
  await web.page.waitForURL(/\/graphs\?name=drover_instance_memory_bytes&match=space%3Ddefault/);
});

test(
  "a timeline lays what happened side by side; a stretch of it is chosen with the mouse, the keyboard, or its address",
  options,
  async () => {
    await open("/timeline");
    const table = web.page.getByRole("table", { name: "What happened" });
    const drawing = web.page.getByRole("application", { name: /^What happened/ });
    await table
      .getByText(/release 1/)
      .first()
      .waitFor();
    await drawing.locator(".span").first().waitFor();
    await drawing.press("+");
    await web.page.waitForURL(/from=\d+&to=\d+/);
    const shownMs = () => Number(new URL(web.page.url()).searchParams.get("to")) - Number(new URL(web.page.url()).searchParams.get("from"));
    assert.ok(Math.abs(shownMs() - 1_800_000) < 10, "half of an hour");
    await drawing.press("0");
    await web.page.waitForURL((url) => !url.searchParams.has("from"));
    const box = await drawing.boundingBox();
    assert.ok(box !== null);
    await web.page.mouse.move(box.x + box.width * 0.75, box.y + 30);
    await web.page.mouse.down();
    await web.page.mouse.move(box.x + box.width - 1, box.y + 40, { steps: 3 });
    await web.page.mouse.up();
    await web.page.waitForURL(/from=\d+&to=\d+/);
    assert.ok(Math.abs(shownMs() - 900_000) < 20_000, `a quarter of an hour, and not ${shownMs()}`);
    await web.page.getByRole("checkbox", { name: "deploys" }).uncheck();
    await web.page.getByLabel("Filter what happened by words").fill("no such thing");
    await see("Nothing happened in this time.");
    assert.match(web.page.url(), /hide=deploys/);
    const nowMs = Date.now();
    await open(`/timeline?from=${nowMs - 60_000}&to=${nowMs}`);
    await drawing.locator(".span").first().waitFor();
    await judge("timeline");
  },
);

test("events lie side by side on one line of time, and come as they happen", options, async () => {
  // So many have happened by now that the page holds only those that can be seen of them.
  await open("/events?q=release.created");
  await see("release.created");
  await open("/events");
  await drover.run("restart", "loud", "--detach");
  await see("app.restarted");
  await web.page.getByLabel("Kind of events").selectOption("people");
  await web.page.getByText("instance.ready").first().waitFor({ state: "detached" });
  await judge("events");
});

test("machines say how full they are and what runs there; one is labelled, drained and let back", options, async () => {
  await using machines = new TestMachines(drover, 2);
  const [name = ""] = machines.names;
  await open("/machines?q=node");
  await web.page.getByRole("row", { name }).getByText("linked").waitFor();
  await web.page.getByLabel("Filter machines by name or label").fill("");
  await web.page.getByText(/% of \d+ core/).waitFor();
  await judge("machines");
  await web.page.getByRole("link", { name }).click();
  await press("Labels");
  await web.page.getByRole("textbox", { name: "Labels" }).fill("zone=a disk=ssd");
  await see(`drover machine label ${name} zone=a disk=ssd`);
  await web.page.getByRole("dialog").getByRole("button", { name: "Labels", exact: true }).click();
  await press("Drain");
  await see("Nothing new comes here");
  await web.page.getByRole("dialog").getByRole("button", { name: "Drain", exact: true }).click();
  await see(`Nothing runs on ${name} any more`);
  await see("zone=a disk=ssd");
  await press("Uncordon");
  await web.page.getByRole("dialog").getByRole("button", { name: "Uncordon", exact: true }).click();
  await see("its agent answers");
  await web.page.getByText("○drained").first().waitFor({ state: "detached" });
  await open("/machines");
  await web.page
    .getByRole("row", { name: /127\.0\.0\.1|% of/ })
    .getByRole("link")
    .first()
    .click();
  await web.page.getByRole("table", { name: "Instances" }).getByRole("link", { name: "default/shop" }).first().waitFor();
  await see(/isolation of/);
  await press("Upgrade");
  await web.page.getByRole("dialog").getByText("installed by hand").waitFor();
  await judge("machine-upgrade");
  await press("Close");
  assert.ok(await web.page.getByRole("button", { name: "Remove" }).isDisabled(), "the server runs there");
  await judge("machine");
});

test(
  "hosts become machines: the command for it, what it meets at each, and a token for one without SSH that is followed until it has joined",
  options,
  async () => {
    await open("/add-machines");
    await web.page.getByRole("textbox", { name: /^hosts/ }).fill("m2=ops@10.0.0.12\nroot@10.0.0.14 -x");
    await see("“-x” is no host");
    await web.page.getByRole("textbox", { name: /^hosts/ }).fill("m9=root@127.0.0.1:1");
    await web.page.getByRole("textbox", { name: /^labels/ }).fill("zone=a");
    const command = await web.page
      .getByRole("button", { name: /drover machine add/ })
      .locator("code")
      .innerText();
    await drover.cli([...command.split(" ").slice(1), "--identity", "none"]);
    await see("0 of 1 host done, 1 failed");
    await web.page.getByRole("list", { name: "Hosts" }).getByText("root@127.0.0.1:1").waitFor();
    await see("drover machine add --retry");
    const faults = [
      { check: "clock", what: "is 3 h behind", remedy: "Set its clock, by chrony or the like." },
      { check: "disk", what: "has 90 MiB left for /opt/drover", remedy: "Make room there." },
    ];
    const told = { machine: null, stage: null, notes: [], failure: null };
    const hosts = [
      { ...told, host: "ops@10.0.0.12", machine: "m2", state: "under-way", stage: "copying, 31 of 60 MiB" },
      { ...told, host: "ops@10.0.0.13", state: "failed", failure: { code: "HOST_UNFIT", message: "is 3 h behind", hint: "", faults } },
      { ...told, host: "ops@10.0.0.14", state: "waiting", notes: ["<img src=x onerror=alert(1)>\u001b]0;owned\u0007"] },
    ];
    await drover.api("PUT", "/v1/machine-additions/told", { body: { hosts, isOver: false } });
    await see("Set its clock, by chrony or the like.");
    await see("<img src=x onerror=alert(1)>␛]0;owned␇");
    await judge("add-machines");
    await press("Make a token");
    await web.page.getByRole("dialog").getByLabel("name").fill("m5");
    await web.page.getByRole("dialog").getByRole("button", { name: "Make a token", exact: true }).click();
    await see("waits for m5");
    await judge("add-by-hand");
    const [token = "", start = ""] = await web.page.locator("ol.steps .cli code").allInnerTexts();
    await using machine = await TestDrover.prepare();
    await writeFile(join(machine.home, "m5.token"), `${token}\n`, { mode: 0o600 });
    machine.launch(start.split(" ").slice(2));
    await web.page.getByRole("link", { name: "m5", exact: true }).click();
    await see(/joined/);
    await press("Remove");
    await web.page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await web.page.waitForURL("**/machines");
  },
);

test("a pool says which of its machines are there, and what is done about the others", options, async () => {
  const folder = join(drover.home, "work", "provider");
  await mkdir(folder, { recursive: true });
  // Commands run as users of their own where Drover is root.
  for (const path of [join(drover.home, "work"), folder]) await chmod(path, 0o777);
  await drover.apply(
    [
      "space: fleet",
      `pool: web\nmachines: { min: 2, healthy: 1 }\nprovider:\n  command: exec node ${fixture("machines.mjs")}\n  env: { FOLDER: ${JSON.stringify(folder)} }\n  every: 500ms`,
      "ladder: pools\nsettle: 100ms\nlevels: [{ name: pool, do: pool.create, quiet: 1h, approve: true }]\nchecks:\n  serves: { each: pool, ready: 1, level: pool, every: 1s, timeout: 1s, failures: 1 }",
    ].join("\n---\n"),
  );
  await open("/machines?space=fleet");
  await web.page
    .getByRole("row", { name: /fleet\/web/ })
    .getByRole("link", { name: "escalation of pool/web" })
    .waitFor();
  await web.page.getByRole("link", { name: "fleet/web" }).click();
  await web.page.getByRole("row", { name: "web-2" }).getByText("not there").waitFor();
  await see("can list, create, destroy, converge, power");
  await judge("pool");
});

test("whoever logs out is out, and the page says where the way in is", options, async () => {
  await open("/sessions");
  await see("this one");
  await judge("sessions");
  await web.page.getByText("Account").click();
  await press("Log out");
  await see("drover ui");
  web.forgive(/status of 401/);
  await judge("login");
});

test("whoever may only look is told so by what it tries to do", options, async () => {
  const { stdout: token } = await drover.cli(["token", "create", "looks", "--role", "viewer", "--space", "default"]);
  const { stdout: link } = await drover.cli(["ui", "--print"], { env: { DROVER_TOKEN: token.trim() } });
  await web.page.goto("about:blank");
  await web.page.goto(link.trim());
  await see("default/shop");
  await open("/spaces/default/apps/shop");
  await press("Restart");
  await web.page.getByRole("dialog").getByRole("button", { name: "Restart", exact: true }).click();
  await see('"looks in session');
  await see("and this takes a deployer");
  web.forgive(/status of 403/);
  await judge("refused");
  await open("/sessions");
  await see("this one");
  await drover.run("token", "revoke", "looks");
  await see("drover ui");
  web.forgive(/status of 401/);
});
