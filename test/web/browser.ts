import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root } from "../harness/drover.ts";

/** The system's Chromium; null if there is none. */
export const chromiumPath = programOnPath("chromium");
export const withoutChromium = chromiumPath === null ? "chromium is not here: no page of the web UI was tested" : false;

/** Where pictures of the pages are left, for people to look at. */
const picturesFolder = join(root, "test-results", "web");

/** How long anything may take before it counts as never; generous, because no test asserts a duration. */
const patienceMs = 60_000;

/** Windows as people have them. */
const sizes = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

export interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** A real browser, logged in by a link as `drover ui` prints it. Everything that any of its pages says on its console is an error. */
export class WebBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #context: BrowserContext;
  readonly page: Page;
  /** What went wrong in the page: uncaught errors, refused loads, violations of the policy. */
  readonly errors: string[] = [];

  private constructor(browser: Browser, context: BrowserContext, page: Page) {
    this.#browser = browser;
    this.#context = context;
    this.page = page;
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.errors.push(`${message.text()} (${page.url()})`);
    });
    page.on("pageerror", (error) => this.errors.push(`${error.stack ?? error.message} (${page.url()})`));
  }

  /** @param link opened first; left out, nothing is. */
  static async open(link?: string): Promise<WebBrowser> {
    if (chromiumPath === null || !existsSync(chromiumPath)) throw new Error("there is no chromium");
    // As root it has no sandbox of its own; what it opens is ours.
    const args = ["--disable-dev-shm-usage", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])];
    const browser = await chromium.launch({ executablePath: chromiumPath, args });
    const context = await browser.newContext({ viewport: sizes.desk, reducedMotion: "reduce", colorScheme: "light" });
    // A page that is judged for access runs the judge inside, which its policy forbids to anybody else.
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await context.newPage();
    page.setDefaultTimeout(patienceMs);
    const web = new WebBrowser(browser, context, page);
    if (link !== undefined) {
      await page.goto(link);
      await page.getByRole("navigation", { name: "Pages" }).waitFor();
    }
    return web;
  }

  /** Takes back what went wrong on purpose: the browser notes every refused request on the console. */
  forgive(pattern: RegExp): void {
    const rest = this.errors.filter((error) => !pattern.test(error));
    this.errors.splice(0, this.errors.length, ...rest);
  }

  /** A picture of the page as it is, in light, dark and on a phone. @returns the pixels that it is wider than the phone */
  async pictures(name: string): Promise<number> {
    await mkdir(picturesFolder, { recursive: true });
    const shoot = (kind: string) => this.page.screenshot({ path: join(picturesFolder, `${name}-${kind}.png`) });
    await shoot("light");
    await this.page.emulateMedia({ colorScheme: "dark" });
    await shoot("dark");
    await this.page.emulateMedia({ colorScheme: "light" });
    await this.page.setViewportSize(sizes.phone);
    await shoot("phone");
    const tooWide = await this.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    await this.page.setViewportSize(sizes.desk);
    return Number(tooWide);
  }

  /** Begins to note what the page's threads do. */
  async trace(): Promise<void> {
    await this.#browser.startTracing(this.page, { categories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"] });
  }

  /** What they did since, as Chromium's trace events. */
  async traced(): Promise<unknown> {
    const { traceEvents } = JSON.parse((await this.#browser.stopTracing()).toString()) as { traceEvents: unknown };
    return traceEvents;
  }

  /** What keeps people from using the page, by axe's rules for WCAG AA; minor matters of taste are left out. In the dark only colours are other ones. */
  async violations(): Promise<readonly Violation[]> {
    // Evaluated by the debugger, which the page's policy does not bind.
    await this.page.evaluate(axe.source);
    const run = (rules: readonly string[]) =>
      this.page.evaluate(
        `axe.run(document, { runOnly: ${JSON.stringify(rules)}, resultTypes: ["violations"] }).then(({ violations }) => violations)`,
      );
    const found = [await run(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])];
    await this.page.emulateMedia({ colorScheme: "dark" });
    found.push(await run(["color-contrast"]));
    await this.page.emulateMedia({ colorScheme: "light" });
    return (found.flat() as readonly Violation[]).filter(({ impact }) => impact === "serious" || impact === "critical");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    await this.#browser.close();
  }
}
