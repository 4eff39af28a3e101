import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { TestLogReceiver } from "../../harness/log-receiver.ts";
import { options, type Site } from "../site.ts";

/** Hides a page as a switch to another tab does, which ends its streams; or shows it again. */
const setHidden = (page: Page, isHidden: boolean) =>
  page.evaluate(
    `Object.defineProperty(document, "hidden", { configurable: true, get: () => ${isHidden} }); document.dispatchEvent(new Event("visibilitychange"))`,
  );

/** What apps print: of one app, and of all. */
export function testLogs(site: Site): void {
  const { judge, open, press, see } = site;

  test("hostile output is text: no markup acts, no escape reaches anything, nothing turns the line", options, async () => {
    await open("/spaces/default/apps/loud/logs");
    await see("<img src=x onerror=");
    await see("␛]0;owned␇␛]52;c;b3duZWQ=␇red");
    await see("user\\u202egpj.exe");
    assert.equal(await site.page.title(), "default/loud – Drover");
    assert.equal(await site.page.locator("main img, main script").count(), 0);
    await site.page.getByLabel("Only lines with this text").fill("zalgo");
    await site.page.getByText("<img src=x").first().waitFor({ state: "detached" });
    await judge("logs");
  });

  test("logs are searched over all instances, counted over time, shown with what stands around a hit, and followed", options, async () => {
    await open("/logs?app=default%2Floud&last=15m");
    const table = site.page.getByRole("table", { name: "Events of logs" });
    await table.getByText("<img src=x onerror=").first().waitFor();
    assert.equal(await site.page.locator("main img, main script").count(), 0);
    await site.page.getByRole("searchbox", { name: "Search" }).fill("level>=");
    await site.page.getByRole("alert").waitFor();
    site.web.forgive(/status of 4\d\d/);
    await site.page.getByRole("searchbox", { name: "Search" }).fill("gpj.exe");
    await table.getByText("<img src=x").first().waitFor({ state: "detached" });
    await table.getByText("user\\u202egpj.exe").first().waitFor();
    assert.match(site.page.url(), /q=gpj.exe/);
    await press("Save");
    await site.page.getByRole("dialog").getByLabel("name").fill("turned");
    await site.page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
    await site.page.getByLabel("Saved searches").locator("option", { hasText: "turned" }).waitFor({ state: "attached" });
    await press("Follow");
    await site.page.getByRole("button", { name: "Stop", exact: true }).nth(0).waitFor();
    await judge("logs-explorer");
    // Both pages lose their streams, and the app says everything once more meanwhile.
    const tab = await site.page.context().newPage();
    await tab.goto(`http://127.0.0.1:${site.drover.apiPort}/spaces/default/apps/loud/logs`);
    const lines = tab.getByRole("log").getByText("user\\u202egpj.exe");
    const events = table.getByText("user\\u202egpj.exe");
    const before = (await site.drover.run("logs", "loud", "-n", "10000")).split("gpj.exe").length - 1;
    for (const shown of [lines, events]) await shown.nth(before - 1).waitFor();
    for (const page of [site.page, tab]) await setHidden(page, true);
    await site.drover.run("restart", "loud");
    for (const page of [site.page, tab]) await setHidden(page, false);
    for (const shown of [lines, events]) await shown.nth(before).waitFor();
    assert.deepEqual([await lines.count(), await events.count()], [before + 1, before + 1]);
    await tab.close();
    await table.getByRole("button").first().click();
    const context = site.page.getByRole("list", { name: "What its instance said around it" });
    await context.getByText("<img src=x").first().waitFor();
    await judge("log-event");
    await site.page.keyboard.press("Escape");
    await context.waitFor({ state: "detached" });
  });

  test("destinations of logs say how far behind each is and why, and change as that does", options, async () => {
    await using receiver = await TestLogReceiver.start();
    receiver.answer = ({ path }) =>
      path === "/away" ? { status: 503, headers: { "retry-after": "1" }, body: "<b>too much</b> to do" } : { status: 200 };
    const to = (path: string) => `{ http: "http://127.0.0.1:${receiver.port}/${path}", from: { spaces: [default] } }`;
    await open("/logs");
    await site.page.getByRole("link", { name: "Destinations" }).click();
    await see("sent nowhere else");
    await judge("destinations-none");
    await site.drover.apply(`space: sent\nlogs: { ship: { lake: ${to("lake")}, away: ${to("away")} } }`);
    await site.drover.run("restart", "loud");
    const table = site.page.getByRole("table", { name: "Destinations" });
    await table.getByRole("row", { name: /^sent\/lake well – [1-9]/ }).waitFor();
    const away = table.getByRole("row", { name: /sent\/away/ });
    await away.getByText("failing").waitFor();
    await away.getByText(/\d+ lines/).waitFor();
    const why = site.page.getByRole("list", { name: "Why lines wait" });
    await why.getByText("answered 503: <b>too much</b> to do").waitFor();
    await judge("destinations");
    receiver.answer = () => ({ status: 200 });
    await away.getByText("well").waitFor();
    await why.waitFor({ state: "detached" });
    await site.drover.apply("space: sent");
    await see("sent nowhere else");
  });
}
