import { readHostAndPort, tlsPortBeside } from "#host/address.ts";

const usualHttp = 8080;

/** Where the edges of machines are going to listen. @param agentOptions of `drover up` there */
export function edgePorts(agentOptions: readonly string[]): readonly number[] {
  const portOf = (name: string) => readHostAndPort(agentOptions[agentOptions.indexOf(name) + 1] ?? "")?.port;
  const http = agentOptions.includes("--http") ? (portOf("--http") ?? usualHttp) : usualHttp;
  const https = agentOptions.includes("--https") ? portOf("--https") : undefined;
  return [http, https ?? http + tlsPortBeside];
}
