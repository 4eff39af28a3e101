import { Resolver } from "node:dns/promises";
import type { CheckTest } from "#model/check.ts";
import { hasCode } from "#model/errors.ts";
import { type CheckSurroundings, type Finding, failed, passed } from "../finding.ts";

type DnsTest = Extract<CheckTest, { kind: "dns" }>;

/** The name has records of the type, and every wanted answer is among them. */
export async function checkDns(
  { name, type, answers, server }: DnsTest,
  { resolve }: CheckSurroundings,
  signal: AbortSignal,
): Promise<Finding> {
  const resolver = new Resolver({ tries: 1 });
  if (server !== null) {
    const { host, port } = splitServer(server);
    const { address, family } = await resolve(host);
    resolver.setServers([family === 6 ? `[${address}]:${port}` : `${address}:${port}`]);
  }
  const cancel = () => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const found = await lookUp(resolver, name, type);
    const missing = answers.filter((wanted) => !found.includes(normal(wanted)));
    if (missing.length > 0) return failed(`${type} of ${name} is ${found.join(", ")}; ${missing.join(", ")} is missing`);
    return found.length > 0 ? passed(`${type} of ${name} is ${found.join(", ")}`) : failed(`${name} has no ${type} record`);
  } catch (error) {
    if (signal.aborted) return failed("no answer in time");
    if (hasCode(error, "ENOTFOUND")) return failed(`${name} does not exist`);
    if (hasCode(error, "ENODATA")) return failed(`${name} has no ${type} record`);
    return failed(`${type} of ${name}: ${error instanceof Error && "code" in error ? String(error.code) : String(error)}`);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function lookUp(resolver: Resolver, name: string, type: DnsTest["type"]): Promise<readonly string[]> {
  switch (type) {
    case "A":
      return resolver.resolve4(name);
    case "AAAA":
      return resolver.resolve6(name);
    case "CNAME":
      return (await resolver.resolveCname(name)).map(normal);
    case "NS":
      return (await resolver.resolveNs(name)).map(normal);
    case "MX":
      return (await resolver.resolveMx(name)).map(({ priority, exchange }) => normal(`${priority} ${exchange}`));
    case "SRV":
      return (await resolver.resolveSrv(name)).map(({ priority, weight, port, name: host }) =>
        normal(`${priority} ${weight} ${port} ${host}`),
      );
    case "TXT":
      return (await resolver.resolveTxt(name)).map((parts) => normal(parts.join("")));
    default:
      return type satisfies never;
  }
}

/** Names are compared without regard to case and to the dot at their end. */
function normal(answer: string): string {
  return answer.toLowerCase().replace(/\.$/, "");
}

function splitServer(server: string): { readonly host: string; readonly port: number } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(server);
  const [, host = server, port] = bracketed ?? /^([^:]+):(\d+)$/.exec(server) ?? [];
  return { host, port: Number(port ?? 53) };
}
