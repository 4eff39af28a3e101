import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { options, type Site } from "../site.ts";

/** The ladder, its checks and its escalations. */
export function testEscalator(site: Site): void {
  const { judge, open, press, see } = site;

  test("the ladder shows who is on which level; a person approves, and the timeline tells it", options, async () => {
    await open("/spaces/default/escalator");
    await see("asked by");
    await judge("ladder");
    await writeFile(join(site.drover.home, "work", "flag"), "");
    await site.page.getByRole("listitem").filter({ hasText: "infra" }).getByRole("link").first().waitFor();
    await site.page.getByRole("listitem").filter({ hasText: "infra" }).getByRole("button", { name: "Approve" }).waitFor();
    await judge("ladder-waiting");
    await press("Pause");
    await site.page.getByLabel("What is paused").selectOption("app/shop");
    await see("drover ladder pause app/shop --for 1h --space default");
    await judge("ladder-pause");
    await site.page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click();
    await press("Resume");
    await site.page.getByRole("dialog").getByRole("button", { name: "Resume", exact: true }).click();
    await site.page.getByRole("button", { name: "Resume", exact: true }).waitFor({ state: "detached" });
    await site.page.getByRole("listitem").filter({ hasText: "infra" }).getByRole("link").first().click();
    await press("Approve");
    await site.page.getByRole("dialog").getByRole("button", { name: "Approve", exact: true }).click();
    await see("approved");
    await judge("escalation");
    await open("/spaces/default/escalator/checks");
    await see("flag@app/shop");
    await judge("checks");
    await open("/spaces/default/escalator/simulate?fail=smoke%40app%2Fshop");
    await press("Play an hour");
    await site.page.getByRole("list", { name: "What would happen" }).getByRole("listitem").first().waitFor();
    await judge("simulate");
    await press("Pause");
    await site.page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click();
    await see(/paused by/);
    await open("/spaces/default/escalator/runs");
    await see("space@");
    await judge("escalations");
  });
}
