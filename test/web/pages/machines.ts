import assert from "node:assert/strict";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { TestDrover } from "../../harness/drover.ts";
import { TestMachines } from "../../harness/machines.ts";
import { fixture, options, type Site } from "../site.ts";

/** Machines, how hosts become some, and pools of them. */
export function testMachines(site: Site): void {
  const { judge, open, press, see } = site;

  test("machines say how full they are and what runs there; one is labelled, drained and let back", options, async () => {
    await using machines = new TestMachines(site.drover, 2);
    const [name = ""] = machines.names;
    await open("/machines?q=node");
    await site.page.getByRole("row", { name }).getByText("linked").waitFor();
    await site.page.getByLabel("Filter machines by name or label").fill("");
    await site.page.getByText(/% of \d+ core/).waitFor();
    await judge("machines");
    await site.page.getByRole("link", { name }).click();
    await press("Labels");
    await site.page.getByRole("textbox", { name: "Labels" }).fill("zone=a disk=ssd");
    await see(`drover machine label ${name} zone=a disk=ssd`);
    await site.page.getByRole("dialog").getByRole("button", { name: "Labels", exact: true }).click();
    await press("Drain");
    await see("Nothing new comes here");
    await site.page.getByRole("dialog").getByRole("button", { name: "Drain", exact: true }).click();
    await see(`Nothing runs on ${name} any more`);
    await see("zone=a disk=ssd");
    await press("Uncordon");
    await site.page.getByRole("dialog").getByRole("button", { name: "Uncordon", exact: true }).click();
    await see("its agent answers");
    await site.page.getByText("○drained").first().waitFor({ state: "detached" });
    await open("/machines");
    await site.page
      .getByRole("row", { name: /127\.0\.0\.1|% of/ })
      .getByRole("link")
      .first()
      .click();
    await site.page.getByRole("table", { name: "Instances" }).getByRole("link", { name: "default/shop" }).first().waitFor();
    await see(/isolation of/);
    await press("Upgrade");
    await site.page.getByRole("dialog").getByText("installed by hand").waitFor();
    await judge("machine-upgrade");
    await press("Close");
    assert.ok(await site.page.getByRole("button", { name: "Remove" }).isDisabled(), "the server runs there");
    await judge("machine");
  });

  test(
    "hosts become machines: the command for it, what it meets at each, and a token for one without SSH that is followed until it has joined",
    options,
    async () => {
      await open("/add-machines");
      await site.page.getByRole("textbox", { name: /^hosts/ }).fill("m2=ops@10.0.0.12\nroot@10.0.0.14 -x");
      await see("“-x” is no host");
      await site.page.getByRole("textbox", { name: /^hosts/ }).fill("m9=root@127.0.0.1:1");
      await site.page.getByRole("textbox", { name: /^labels/ }).fill("zone=a");
      const command = await site.page
        .getByRole("button", { name: /drover machine add/ })
        .locator("code")
        .innerText();
      await site.drover.cli([...command.split(" ").slice(1), "--identity", "none"]);
      await see("0 of 1 host done, 1 failed");
      await site.page.getByRole("list", { name: "Hosts" }).getByText("root@127.0.0.1:1").waitFor();
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
      await site.drover.api("PUT", "/v1/machine-additions/told", { body: { hosts, isOver: false } });
      await see("Set its clock, by chrony or the like.");
      await see("<img src=x onerror=alert(1)>␛]0;owned␇");
      await judge("add-machines");
      await press("Make a token");
      await site.page.getByRole("dialog").getByLabel("name").fill("m5");
      await site.page.getByRole("dialog").getByRole("button", { name: "Make a token", exact: true }).click();
      await see("waits for m5");
      await judge("add-by-hand");
      const [token = "", start = ""] = await site.page.locator("ol.steps .cli code").allInnerTexts();
      await using machine = await TestDrover.prepare();
      await writeFile(join(machine.home, "m5.token"), `${token}\n`, { mode: 0o600 });
      machine.launch(start.split(" ").slice(2));
      await site.page.getByRole("link", { name: "m5", exact: true }).click();
      await see(/joined/);
      await press("Remove");
      await site.page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
      await site.page.waitForURL("**/machines");
    },
  );

  test("a pool says which of its machines are there, and what is done about the others", options, async () => {
    const folder = join(site.drover.home, "work", "provider");
    await mkdir(folder, { recursive: true });
    // Commands run as users of their own where Drover is root.
    for (const path of [join(site.drover.home, "work"), folder]) await chmod(path, 0o777);
    await site.drover.apply(
      [
        "space: fleet",
        `pool: web\nmachines: { min: 2, healthy: 1 }\nprovider:\n  command: exec node ${fixture("machines.mjs")}\n  env: { FOLDER: ${JSON.stringify(folder)} }\n  every: 500ms`,
        "ladder: pools\nsettle: 100ms\nlevels: [{ name: pool, do: pool.create, quiet: 1h, approve: true }]\nchecks:\n  serves: { each: pool, ready: 1, level: pool, every: 1s, timeout: 1s, failures: 1 }",
      ].join("\n---\n"),
    );
    await open("/machines?space=fleet");
    await site.page
      .getByRole("row", { name: /fleet\/web/ })
      .getByRole("link", { name: "escalation of pool/web" })
      .waitFor();
    await site.page.getByRole("link", { name: "fleet/web" }).click();
    await site.page.getByRole("row", { name: "web-2" }).getByText("not there").waitFor();
    await see("can list, create, destroy, converge, power");
    await judge("pool");
  });
}
