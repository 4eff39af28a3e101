import { DroverError } from "#model/errors.ts";
import type { Verb } from "../command.ts";

/** Only its description: `bin/drover up` starts the agent without the command line in between, so that one process stays in the foreground. */
export default {
  configure: (command) =>
    command
      .option("--api <host:port>", "where the API listens (default: 127.0.0.1:7373)")
      .option("--http <host:port>", "where apps are reached (default: 127.0.0.1:8080)")
      .option("--https <host:port>", "where apps are reached over TLS (default: 363 above --http, so 127.0.0.1:8443)")
      .option("--router <name>", "what carries traffic: embedded, or haproxy where that is installed (default: embedded)")
      .option("--trusted-proxy <network>", "a proxy in front, such as 10.0.0.7, whose word about clients counts; may be repeated")
      .option("--dns <host:port>", 'where DNS answers for <app>.<space>.drover, or "off" (default: 127.0.0.1:7353 if it is free)')
      .option("--dns-allow <network>", "who may ask it beside this machine, such as 10.0.0.0/8; may be repeated")
      .option("--dns-upstream <host[:port]>", "whom it asks for other names (default: the resolvers of this machine); may be repeated")
      .option("--host <name>", "a name besides the loopback ones under which people reach the API; may be repeated")
      .option("--apply <path>", "apply these manifests once it runs")
      .addHelpText(
        "after",
        `
Starts the agent, which starts the server and the edge. Ctrl-C or "drover down" stops everything, apps included, and keeps all state.
Apps are reached at http://<app>.<space>.localhost and the port of --http.`,
      ),
  run() {
    throw new DroverError("USAGE", '"up" has to be the first word', { hint: 'Run "drover up", with options after it.' });
  },
} satisfies Verb;
