import assert from "node:assert/strict";
import { test } from "node:test";
import { options, type Site } from "../site.ts";

/** What is inside an app: its configuration, and a shell in it. */
export function testInside(site: Site): void {
  const { judge, open, press, see } = site;

  test("the configuration names secrets and shows none", options, async () => {
    await site.drover.cli(["secret", "set", "KEY"], { input: "hunter2hunter2" });
    await site.drover.apply(`app: keyed\nrun: exec sleep 1000\nenv: { A: b }\nsecrets: [KEY]`, "--detach");
    await open("/spaces/default/apps/keyed/configuration");
    await see("secret, never shown");
    assert.ok(!(await site.page.content()).includes("hunter2"));
    await judge("configuration");
  });

  test("a terminal runs in an instance, in colours, through a flood, and ends with the session", options, async () => {
    await open("/spaces/default/apps/shop/terminal");
    await press("Open");
    await see(/a shell in web/);
    const screen = site.page.locator(".xterm-rows");
    await site.page.keyboard.type(
      "printf 'six \\033[32mseven\\033[0m %s\\n' $((6*7)); head -c 10000000 /dev/zero | tr '\\0' x; echo; echo fl''ood over\n",
    );
    await screen.getByText("flood over").waitFor();
    await judge("terminal");
    const { sessions } = JSON.parse(await site.drover.run("session", "ls", "--json")) as { sessions: { id: string; usedAtMs: number }[] };
    for (const { id } of sessions) await site.drover.run("session", "end", id);
    await see("not logged in");
    site.web.forgive(/status of 401/);
    await site.page.goto((await site.drover.run("ui", "--print")).trim());
    await site.page.getByRole("navigation", { name: "Pages" }).waitFor();
  });
}
