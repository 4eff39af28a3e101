import { test } from "node:test";
import { options, type Site } from "../site.ts";

/** Manifests that are edited. */
export function testManifest(site: Site): void {
  const { judge, open, press, see } = site;

  test("a manifest is edited with completion, judged as it is typed, planned and applied", options, async () => {
    await open("/manifest?of=default%2Fshop");
    const editor = site.page.getByRole("textbox", { name: "Manifest" });
    await editor.getByText("breakable.mjs").waitFor();
    await site.page.getByRole("list", { name: "What would change" }).getByText("default/shop").waitFor();
    await editor.press("Control+End");
    await site.page.keyboard.type("instances: many");
    await see(/found "many", wanted/);
    site.web.forgive(/status of 422/);
    await judge("manifest-wrong");
    for (let i = 0; i < "many".length; i++) await site.page.keyboard.press("Backspace");
    await site.page.keyboard.type("3\nneed");
    await site.page.getByRole("option", { name: /^needs/ }).waitFor();
    await site.page.keyboard.press("Escape");
    for (let i = 0; i < "need".length; i++) await site.page.keyboard.press("Backspace");
    await site.page.getByRole("list", { name: "What would change" }).getByText("+ 3").waitFor();
    site.web.forgive(/status of 422/);
    await judge("manifest");
    await press("Apply");
    await site.page.getByRole("dialog").getByRole("button", { name: "Apply", exact: true }).click();
    await see("Applied at revision");
  });
}
