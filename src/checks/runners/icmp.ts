import { spawn } from "node:child_process";
import { once } from "node:events";
import type { CheckTest } from "#model/check.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { type CheckSurroundings, type Finding, failed, hostOf, passed } from "../finding.ts";

/** One echo request and its answer. Node has no sockets for that, and the system's `ping` has the right to make them. */
export async function checkIcmp(
  { host }: Extract<CheckTest, { kind: "icmp" }>,
  { address, resolve }: CheckSurroundings,
  signal: AbortSignal,
): Promise<Finding> {
  const name = hostOf(host, address);
  const { address: ip } = await resolve(name);
  const child = spawn("ping", ["-n", "-q", "-c", "1", ip], { stdio: "ignore", signal, killSignal: "SIGKILL" });
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code === 0 ? passed(`${name} answers pings`) : failed(`${name} does not answer pings`);
  } catch (error) {
    if (signal.aborted) return failed(`${name} does not answer pings in time`);
    if (!hasCode(error, "ENOENT")) throw error;
    throw new DroverError("CHECK_IMPOSSIBLE", "there is no `ping` on this machine", {
      hint: "Install it (Debian: iputils-ping), or make the check by tcp.",
      cause: error,
    });
  }
}
