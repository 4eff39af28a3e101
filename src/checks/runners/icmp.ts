import { spawn } from "node:child_process";
import { once } from "node:events";
import type { CheckTest } from "#model/check.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { type CheckSurroundings, type Finding, failed, hostOf, oneLine, passed } from "../finding.ts";

/** What `ping` says of its own trouble stands in its first line. */
const longestWords = 1_000;

/** One echo request and its answer. Node has no sockets for that, and the system's `ping` has the right to make them. */
export async function checkIcmp(
  { host }: Extract<CheckTest, { kind: "icmp" }>,
  { address, resolve }: CheckSurroundings,
  signal: AbortSignal,
): Promise<Finding> {
  const name = hostOf(host, address);
  const { address: ip } = await resolve(name);
  const child = spawn("ping", ["-n", "-q", "-c", "1", ip], { stdio: ["ignore", "ignore", "pipe"], signal, killSignal: "SIGKILL" });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (words = `${words}${chunk}`.slice(0, longestWords)));
  try {
    const [code] = (await once(child, "close")) as [number | null];
    if (code === 0) return passed(`${name} answers pings`);
    // It never left this machine, so it says nothing of the other one.
    if (/not permitted|permission denied/i.test(words))
      throw new DroverError("CHECK_IMPOSSIBLE", `this machine does not let us ping: ${oneLine(words)}`, {
        hint: "Let its user do so (`sysctl net.ipv4.ping_group_range`, or the rules of its firewall), or make the check by tcp.",
      });
    return failed(`${name} does not answer pings`);
  } catch (error) {
    if (signal.aborted) return failed(`${name} does not answer pings in time`);
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("CHECK_IMPOSSIBLE", "there is no `ping` on this machine", {
      hint: "Install it (Debian: iputils-ping), or make the check by tcp.",
      cause: error,
    });
  }
}
