import assert from "node:assert/strict";
import { test } from "node:test";
import { WebBrowser } from "../browser.ts";
import { options, type Site } from "../site.ts";

/** The way in, the overview, and how one gets from there to anything. */
export function testOverview(site: Site): void {
  const { judge, open, see } = site;

  test("a link of drover ui logs in once, and leaves no ticket behind", options, async () => {
    assert.equal(site.page.url(), `http://127.0.0.1:${site.drover.apiPort}/`);
    const link = (await site.drover.run("ui", "--print")).trim();
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
    await site.page.getByRole("list", { name: "Now" }).getByText("Read the last lines in").waitFor();
    await site.page
      .getByRole("row", { name: /default\/shop/ })
      .getByText("ready")
      .waitFor();
    await site.drover.run("stop", "loud");
    await site.page
      .getByRole("row", { name: /default\/loud/ })
      .getByText("○stopped")
      .waitFor();
    await site.drover.run("start", "loud");
    await site.page
      .getByRole("row", { name: /default\/loud/ })
      .getByText("ready")
      .waitFor();
    await judge("overview");
  });

  test("everything is reached with the keyboard alone, and the address says what is shown", options, async () => {
    await open("/");
    await see("default/");
    await site.page.keyboard.press("/");
    await site.page.getByRole("combobox", { name: /^Find/ }).waitFor();
    await site.page.keyboard.type("shop");
    await site.page.getByRole("option", { name: /default\/shop/ }).waitFor();
    await judge("palette");
    await site.page.keyboard.press("Enter");
    await site.page.waitForURL("**/spaces/default/apps/shop");
    await site.page.goBack();
    await site.page.getByLabel("Filter apps by name").fill("lou");
    await site.page.getByRole("row", { name: /default\/shop/ }).waitFor({ state: "detached" });
    assert.match(site.page.url(), /\?q=lou$/);
  });
}
