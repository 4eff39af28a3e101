import { test } from "node:test";
import { options, type Site } from "../site.ts";

/** Who is logged in, and what whoever may only look is told. */
export function testSessions(site: Site): void {
  const { judge, open, press, see } = site;

  test("whoever logs out is out, and the page says where the way in is", options, async () => {
    await open("/sessions");
    await see("this one");
    await judge("sessions");
    await site.page.getByText("Account").click();
    await press("Log out");
    await see("drover ui");
    site.web.forgive(/status of 401/);
    await judge("login");
  });

  test("whoever may only look is told so by what it tries to do", options, async () => {
    const { stdout: token } = await site.drover.cli(["token", "create", "looks", "--role", "viewer", "--space", "default"]);
    const { stdout: link } = await site.drover.cli(["ui", "--print"], { env: { DROVER_TOKEN: token.trim() } });
    await site.page.goto("about:blank");
    await site.page.goto(link.trim());
    await see("default/shop");
    await open("/spaces/default/apps/shop");
    await press("Restart");
    await site.page.getByRole("dialog").getByRole("button", { name: "Restart", exact: true }).click();
    await see('"looks in session');
    await see("and this takes a deployer");
    site.web.forgive(/status of 403/);
    await judge("refused");
    await open("/sessions");
    await see("this one");
    await site.drover.run("token", "revoke", "looks");
    await see("drover ui");
    site.web.forgive(/status of 401/);
  });
}
