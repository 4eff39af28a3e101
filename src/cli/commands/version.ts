import type { Version } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { apiPath } from "../api/client.ts";
import type { Session, Verb } from "../command.ts";

export default {
  async run(session) {
    const { out } = session;
    const server = await serverVersion(session);
    if (out.json) {
      out.value({ version: packageJson.version, node: process.versions.node, server });
      return 0;
    }
    out.line(`drover  ${packageJson.version} (Node ${process.versions.node})`);
    out.line(server === null ? "server  none runs here" : `server  ${server.version} (Node ${server.node}, API ${server.api})`);
    return 0;
  },
} satisfies Verb;

/** The server's own version, or null when there is none to ask: a version is worth knowing without a server too. */
async function serverVersion({ api, signal }: Session): Promise<Version | null> {
  try {
    return await api.call<Version>("GET", apiPath(["version"]), signal);
  } catch (error) {
    if (error instanceof DroverError && error.code === "SERVER_UNREACHABLE") return null;
    throw error;
  }
}
