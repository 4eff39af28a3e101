import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture, options, type Site } from "../site.ts";

/** The pages of an app: how it is, its releases, its routes, and why it is so. */
export function testApps(site: Site): void {
  const { judge, open, press, see } = site;

  test("an app is scaled from its page, which shows the command that does the same", options, async () => {
    await open("/spaces/default/apps/shop");
    await press("Scale");
    await site.page.getByRole("spinbutton", { name: "web" }).fill("2");
    await see("drover scale default/shop web=2");
    await judge("scale");
    await site.page.getByRole("dialog").getByRole("button", { name: "Scale", exact: true }).click();
    await site.page.getByRole("table", { name: "Instances" }).getByRole("row").nth(2).getByText("ready").waitFor();
    await site.page.getByRole("img", { name: /^well/ }).waitFor();
    await judge("app");
  });

  test("an app that follows its load says how many it needs and why, and is not scaled by hand", options, async () => {
    await open("/spaces/default/apps/loud");
    await site.page.getByRole("table", { name: "Scaling" }).getByText("`min` is 1").waitFor();
    await site.page.getByTitle("Its processes follow their load").waitFor();
    await judge("app-scaling");
  });

  test("releases show what differs, and one is gone back to", options, async () => {
    await site.drover.run("env", "set", "shop", "MODE=second");
    await open("/spaces/default/apps/shop/releases");
    await site.page.getByText("1 changed since release 1").click();
    await see("+ second");
    await site.page.getByLabel("From release").selectOption("2");
    await see("Nothing differs between release 2 and release 2.");
    await site.page.getByLabel("To release").selectOption("1");
    await site.page.getByText("+ first").waitFor();
    assert.match(site.page.url(), /\?from=2&to=1$/);
    await judge("releases");
    await site.page.getByRole("button", { name: "Roll back" }).nth(1).click();
    await see("drover rollback default/shop 1");
    await site.page.getByRole("dialog").getByRole("button", { name: "Roll back", exact: true }).click();
    await see("1 changed since release 2");
  });

  test("a rollout shows how much each release gets and how it does with it; routes say what takes them", options, async () => {
    const release = (path: string) =>
      `app: slow\nrun: exec node ${fixture("breakable.mjs")}\nenv: { MODE: "${path}" }\ndeploy: { strategy: canary, steps: [50%], hold: 1h }`;
    await site.drover.apply(release("first"));
    const busy = setInterval(() => void site.drover.get("slow.default.localhost", "/").catch(() => {}), 20);
    try {
      await open("/spaces/default/apps/slow/routes");
      const row = site.page.getByRole("row", { name: /slow\.default\.localhost/ });
      await row.getByText("in force").waitFor();
      await row.getByText("0 %", { exact: true }).waitFor();
      await judge("routes");
      await site.drover.apply(release("second"), "--detach");
      await open("/spaces/default/apps/slow");
      const releases = site.page.getByRole("table", { name: "Releases" });
      await releases.getByRole("row", { name: /^2/ }).getByText("0 %", { exact: true }).waitFor();
      await releases.getByRole("row", { name: /^1/ }).getByText("0 %", { exact: true }).waitFor();
      await judge("rollout");
    } finally {
      clearInterval(busy);
    }
    // A page about an app that goes would ask for it once more.
    await open("/");
    await site.drover.run("destroy", "slow", "--yes");
  });

  test("an app that does not come up says why", options, async () => {
    await open("/spaces/default/apps/broken");
    await site.page.getByRole("list", { name: "Why it is so" }).getByText("Read the last lines in").waitFor();
    await judge("app-broken");
    await site.page.getByRole("list", { name: "Why it is so" }).getByRole("link", { name: "RELEASE_FAILED" }).click();
    await site.page.getByRole("list", { name: "Conditions" }).getByText("of app").waitFor();
    assert.match(site.page.url(), /conditions\?q=RELEASE_FAILED$/);
    await site.page.getByLabel("Filter conditions by words").fill("disk");
    await see("STORAGE_FULL");
    await judge("conditions");
  });
}
