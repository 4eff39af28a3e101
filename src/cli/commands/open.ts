import type { AppStatus } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import { appReference } from "../arguments.ts";
import { showAddress } from "../browser.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) =>
    command
      .argument("<app>", "the app")
      .option("--print", "only print the address")
      .addHelpText("after", "\nWithout a terminal it only prints."),
  async run(session, { args, options }) {
    const { api, out, signal } = session;
    const { space, app } = appReference(args[0], session.common.space);
    const status = await api.call<AppStatus>("GET", apiPath(["spaces", space, "apps", app]), signal);
    const [url] = status.urls;
    if (url === undefined) {
      throw new DroverError("USAGE", `"${space}/${app}" has no address`, {
        hint: "Only apps with a route have one; name a process in its routes.",
      });
    }
    if (out.json) out.value({ urls: status.urls });
    else await showAddress(session, url, options.print === true);
    return 0;
  },
} satisfies Verb<{ print?: boolean }>;
