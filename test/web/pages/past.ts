import assert from "node:assert/strict";
import { test } from "node:test";
import { options, type Site } from "../site.ts";

/** What happened: the timeline and the events. */
export function testPast(site: Site): void {
  const { judge, open, see } = site;

  test(
    "a timeline lays what happened side by side; a stretch of it is chosen with the mouse, the keyboard, or its address",
    options,
    async () => {
      await open("/timeline");
      const table = site.page.getByRole("table", { name: "What happened" });
      const drawing = site.page.getByRole("application", { name: /^What happened/ });
      await table
        .getByText(/release 1/)
        .first()
        .waitFor();
      await drawing.locator(".span").first().waitFor();
      await drawing.press("+");
      await site.page.waitForURL(/from=\d+&to=\d+/);
      const shownMs = () =>
        Number(new URL(site.page.url()).searchParams.get("to")) - Number(new URL(site.page.url()).searchParams.get("from"));
      assert.ok(Math.abs(shownMs() - 1_800_000) < 10, "half of an hour");
      await drawing.press("0");
      await site.page.waitForURL((url) => !url.searchParams.has("from"));
      const box = await drawing.boundingBox();
      assert.ok(box !== null);
      await site.page.mouse.move(box.x + box.width * 0.75, box.y + 30);
      await site.page.mouse.down();
      await site.page.mouse.move(box.x + box.width - 1, box.y + 40, { steps: 3 });
      await site.page.mouse.up();
      await site.page.waitForURL(/from=\d+&to=\d+/);
      assert.ok(Math.abs(shownMs() - 900_000) < 20_000, `a quarter of an hour, and not ${shownMs()}`);
      await site.page.getByRole("checkbox", { name: "deploys" }).uncheck();
      await site.page.getByLabel("Filter what happened by words").fill("no such thing");
      await see("Nothing happened in this time.");
      assert.match(site.page.url(), /hide=deploys/);
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
    await site.drover.run("restart", "loud", "--detach");
    await see("app.restarted");
    await site.page.getByLabel("Kind of events").selectOption("people");
    await site.page.getByText("instance.ready").first().waitFor({ state: "detached" });
    await judge("events");
  });
}
