// The overview with 1,000 apps in a real browser: from the navigation, with nothing cached, to rows that can be read; how late a change is seen; and
// what the longest frame is while somebody scrolls through all of them.
// Usage: node bench/web.ts [apps]
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Page } from "playwright-core";
import { TestDrover } from "../test/harness/drover.ts";
import { chromiumPath, WebBrowser } from "../test/web/browser.ts";
import { median, report, skip } from "./lib.ts";

const apps = Number(process.argv[2] ?? 1_000);
const paints = 5;
const changes = 10;

/** In the page before anything of it: notes when the first row was painted, and when a row first said that it is stopped. */
const notes = `
  const seen = new Set();
  window.notes = { firstRowMs: null, stopped: {} };
  new MutationObserver(() => {
    if (window.notes.firstRowMs === null && document.querySelector("table.rows tbody tr")) {
      window.notes.firstRowMs = 0;
      requestAnimationFrame(() => setTimeout(() => (window.notes.firstRowMs = performance.now())));
    }
    for (const row of document.querySelectorAll("table.rows tbody tr")) {
      const name = row.querySelector("a")?.textContent;
      if (name && !seen.has(name) && row.textContent.includes("○stopped")) {
        seen.add(name);
        window.notes.stopped[name] = Date.now();
      }
    }
  }).observe(document, { childList: true, subtree: true, characterData: true });
`;

if (chromiumPath === null) {
  skip("overview in a browser", "chromium is not on the path");
  process.exit(0);
}
await using drover = await TestDrover.start();
// None runs: what the page shows of an app is as long either way, and this is about the page.
await drover.apply(Array.from({ length: apps }, (_, i) => `app: app-${i}\nrun: sleep 1000\ninstances: 0\n`).join("---\n"), "--detach");
/** Waits until an expression is true in the page; asked by the debugger, since the page's policy lets no text become a program. */
async function until(page: Page, expression: string): Promise<void> {
  while ((await page.evaluate(expression)) !== true) await delay(5);
}
const link = async () => (await drover.run("ui", "--print")).trim();
await using first = await WebBrowser.open(await link());
await first.page.getByRole("row", { name: /app-0/ }).first().waitFor();

const firstRows: number[] = [];
for (let i = 0; i < paints; i++) {
  const address = await link();
  await using web = await WebBrowser.open();
  await web.page.addInitScript(notes);
  await web.page.goto(address);
  await until(web.page, "window.notes.firstRowMs > 0");
  firstRows.push(Number(await web.page.evaluate("window.notes.firstRowMs")));
}
report(`overview, ${apps} apps, nothing cached: to rows that can be read`, median(firstRows), "ms", {
  goal: "< 1,000 ms",
  ok: median(firstRows) < 1_000,
});

await first.page.addInitScript(notes);
await first.page.reload();
await until(first.page, "window.notes.firstRowMs > 0");
const lags: number[] = [];
for (let i = 0; i < changes; i++) {
  const askedAtMs = Date.now();
  await drover.api("POST", `/v1/spaces/default/apps/app-${i}/stop`, { body: {} });
  await until(first.page, `window.notes.stopped["default/app-${i}"] !== undefined`);
  lags.push(Number(await first.page.evaluate(`window.notes.stopped["default/app-${i}"]`)) - askedAtMs);
}
report("a change: from the request that makes it to the page", median(lags), "ms", { goal: "< 500 ms", ok: median(lags) < 500 });

const longest = await first.page.evaluate(`new Promise((resolve) => {
  const frames = [];
  let last = performance.now();
  const step = () => {
    const now = performance.now();
    frames.push(now - last);
    last = now;
    if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1 || frames.length > 600) resolve(Math.max(...frames.slice(1)));
    else { scrollBy(0, 150); requestAnimationFrame(step); }
  };
  requestAnimationFrame(step);
})`);
report("the longest frame while scrolling through all of them", Number(longest), "ms", { goal: "< 50 ms", ok: Number(longest) < 50 });

const loaded = `performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js")).reduce((sum, one) => sum + one.encodedBodySize, 0)`;
const overviewBytes = Number(await first.page.evaluate(loaded));
report("scripts that the overview loads, zipped", overviewBytes / 1_000, "kB", { goal: "< 250 kB", ok: overviewBytes < 250_000 });
const folder = join(drover.home, "server", "web");
const [bundle = ""] = await readdir(folder);
const scripts = (await readdir(join(folder, bundle))).filter((name) => name.endsWith(".js.gz"));
const bytes = (await Promise.all(scripts.map((name) => stat(join(folder, bundle, name))))).reduce((sum, { size }) => sum + size, 0);
report("those of all pages, the editor and the terminal among them", bytes / 1_000, "kB");
