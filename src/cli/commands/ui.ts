import type { UiTicket } from "#model/api-access.ts";
import { apiPath } from "../api/client.ts";
import { showAddress } from "../browser.ts";
import type { Verb } from "../command.ts";

export default {
  configure: (command) =>
    command
      .option("--print", "only print the link")
      .addHelpText("after", "\nThe link works once, within a minute. Without a terminal it is only printed."),
  async run(session, { options }) {
    const { api, out, signal } = session;
    const { path, url, untilMs } = await api.call<UiTicket>("POST", apiPath(["ui-tickets"]), signal, { body: {} });
    // Whoever reaches the server by an address of their own reaches its pages there too.
    const server = await api.address();
    const link = server.kind === "url" ? server.url.origin + path : url;
    if (out.json) out.value({ url: link, untilMs });
    else await showAddress(session, link, options.print === true);
    return 0;
  },
} satisfies Verb<{ print?: boolean }>;
