import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { freePorts } from "#host/testing/free-ports.ts";
import { root, TestDrover } from "../harness/drover.ts";
import { WebBrowser, withoutChromium } from "./browser.ts";

export const options = { skip: withoutChromium };
export const fixture = (name: string) => join(root, "test", "fixtures", name);

const host = "http://shop.default.localhost";

/** A Drover with some apps, and a browser in front of it. All tests of pages share one, since to start both takes longer than most of them. */
export class Site implements AsyncDisposable {
  #drover: TestDrover | null = null;
  #web: WebBrowser | null = null;

  /** Goes to a path of the site, as somebody who types it. */
  readonly open = (path: string) => this.page.goto(`http://127.0.0.1:${this.drover.apiPort}${path}`);
  readonly press = (name: string) => this.page.getByRole("button", { name, exact: true }).first().click();
  readonly see = (text: string | RegExp) => this.page.getByText(text).first().waitFor();

  /** Leaves pictures of the page, and fails for what keeps people from using it and for what went wrong in it. */
  readonly judge = async (name: string): Promise<void> => {
    assert.equal(await this.web.pictures(name), 0, `${name} is wider than a phone`);
    assert.deepEqual(await this.web.violations(), [], name);
    assert.deepEqual(this.web.errors, [], name);
  };

  get drover(): TestDrover {
    assert.ok(this.#drover !== null, "it has not started");
    return this.#drover;
  }

  get web(): WebBrowser {
    assert.ok(this.#web !== null, "it has not started");
    return this.#web;
  }

  get page(): Page {
    return this.web.page;
  }

  async start(): Promise<void> {
    const [link = 0] = await freePorts(1);
    const drover = await TestDrover.start({ args: ["--link", `127.0.0.1:${link}`, "--allow-outgoing", "127.0.0.1"] });
    this.#drover = drover;
    const flag = await drover.file("flag", "");
    await rm(flag);
    const check = (path: string, level: string) =>
      `{ http: "${host}${path}", level: ${level}, every: 1s, timeout: 1s, failures: 1, app: shop }`;
    await drover.apply(
      [
        `app: shop\nrun: exec node ${fixture("breakable.mjs")}\nenv: { FLAG: ${JSON.stringify(flag)}, MODE: first }`,
        `app: loud\nrun: exec node ${fixture("hostile-output.mjs")}\nscale: { max: 3, on: { rps: 1000 } }`,
        `app: broken\nrun: exec node ${fixture("exits.mjs")}`,
        `ladder: demo\nsettle: 100ms\nlevels:\n  - { name: infra, run: "true", quiet: 1h, attempts: 1, approve: true }\n  - { name: app, do: app.restart, quiet: 1s }\nchecks:\n  smoke: ${check("/", "app")}\n  flag: ${check("/flag", "infra")}`,
      ].join("\n---\n"),
      "--detach",
    );
    await drover.until("the good ones are ready", async () => {
      const { apps } = JSON.parse(await drover.run("apps", "--json")) as { apps: { name: string; health: string }[] };
      return apps.filter(({ name, health }) => name !== "broken" && health === "ready").length === 2;
    });
    this.#web = await WebBrowser.open((await drover.run("ui", "--print")).trim());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#web?.[Symbol.asyncDispose]();
    await this.#drover?.[Symbol.asyncDispose]();
  }
}
