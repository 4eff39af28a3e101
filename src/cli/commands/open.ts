import { spawn } from "node:child_process";
import type { AppStatus } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import type { Session, Verb } from "../command.ts";

export default {
  configure: (command) =>
    command
      .argument("<app>", "the app")
      .option("--print", "only print the address")
      .addHelpText("after", "\nWithout a terminal it only prints."),
  async run(session, { args, options }) {
    const { api, out, signal, terminal } = session;
    const { space, app } = appReference(args[0], session.common.space);
    const status = await api.call<AppStatus>("GET", apiPath(["spaces", space, "apps", app]), signal);
    const [url] = status.urls;
    if (url === undefined) {
      throw new DroverError("USAGE", `"${space}/${app}" has no address`, {
        hint: "Only apps with a route have one; name a process in its routes.",
      });
    }
    if (out.json) out.value({ urls: status.urls });
    else out.line(url);
    if (!out.json && options.print !== true && terminal.output.isTTY === true) await openBrowser(session, url);
    return 0;
  },
} satisfies Verb<{ print?: boolean }>;

/** Only http(s), and only as an argument: the address came from outside. */
async function openBrowser({ out }: Session, url: string): Promise<void> {
  if (!/^https?:\/\//.test(url)) return;
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  const browser = spawn(program, [url], { stdio: "ignore", detached: true });
  const isStarted = await new Promise<boolean>((resolve) => {
    browser.once("spawn", () => resolve(true));
    browser.once("error", () => resolve(false));
  });
  if (!isStarted) out.note(`no browser was opened: there is no "${program}" here`);
  browser.unref();
}
