import assert from "node:assert/strict";
import { test } from "node:test";
import { options, type Site } from "../site.ts";

/** Versions and metrics. */
export function testFigures(site: Site): void {
  const { judge, open } = site;

  test("versions say what is wanted, what runs and what it says of itself; and how changes went", options, async () => {
    await open("/versions");
    const row = site.page.getByRole("table", { name: "Versions" }).getByRole("row", { name: /default\/loud/ });
    await row.getByText("agrees").waitFor();
    await row.getByRole("link", { name: "instances" }).click();
    await site.page.getByRole("table", { name: "Instances" }).getByRole("row").nth(1).waitFor();
    await site.page
      .getByRole("table", { name: "Drover itself" })
      .getByRole("row", { name: /server/ })
      .getByText("agrees")
      .waitFor();
    await site.page
      .getByRole("table", { name: "Feedback" })
      .getByRole("row", { name: /default\/loud/ })
      .waitFor();
    assert.match(site.page.url(), /app=default%2Floud$/);
    await judge("versions");
  });

  test("metrics are drawn over time, by app and by machine, and any of them by its labels", options, async () => {
    await open("/graphs");
    await site.page.getByRole("link", { name: "drover_app_instances_ready" }).click();
    const legend = site.page.getByRole("table", { name: "Figures of drover_app_instances_ready" });
    await site.page.getByRole("checkbox", { name: "app" }).check();
    await legend.getByRole("row", { name: /loud/ }).waitFor();
    await judge("metrics");
    await site.page.getByLabel("Only series with").selectOption("app=loud");
    await legend.getByRole("row", { name: /shop/ }).waitFor({ state: "detached" });
    assert.match(site.page.url(), /by=app&match=app%3Dloud/);
    await open("/spaces/default/apps/loud/metrics");
    await site.page.getByRole("table", { name: "Figures of Memory by instance" }).getByText("MiB").first().waitFor();
    await judge("app-metrics");
    await site.page.getByRole("region", { name: "Memory by instance" }).getByRole("link", { name: "explore" }).click();
    await site.page.waitForURL(/\/graphs\?name=drover_instance_memory_bytes&match=space%3Ddefault/);
  });
}
