import net from "node:net";
import type { CheckTest } from "#model/check.ts";
import { type CheckSurroundings, type Finding, failed, hostOf, passed } from "../finding.ts";

/** Every port accepts a connection. All are asked at once, and what is wrong is said of all. */
export async function checkTcp(
  { host, ports }: Extract<CheckTest, { kind: "tcp" }>,
  { address, resolve }: CheckSurroundings,
  signal: AbortSignal,
): Promise<Finding> {
  const name = hostOf(host, address);
  const { address: ip, family } = await resolve(name);
  const problems = await Promise.all(ports.map((port) => connect(ip, family, port, signal)));
  const refused = problems.flatMap((problem, i) => (problem === null ? [] : [`port ${ports[i]}: ${problem}`]));
  return refused.length === 0 ? passed(`${name} accepts connections on ${ports.join(", ")}`) : failed(`${name}: ${refused.join("; ")}`);
}

function connect(host: string, family: 4 | 6, port: number, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, family, port, signal });
    socket.once("connect", () => {
      socket.destroy();
      resolve(null);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(signal.aborted ? "no answer in time" : (error.code ?? error.message)));
  });
}
