import { type Address, formatAddress } from "#host/address.ts";
import type { Machine } from "#model/workload.ts";
import type { DnsOptions } from "./options.ts";

/** What a person reads who has started Drover in a terminal. */
export function banner(options: {
  readonly home: string;
  readonly api: Address;
  /** Where the server is, and the name that it knows this machine by; null where it is this machine's own. */
  readonly joined: { readonly address: string; readonly machine: string } | null;
  readonly http: Address;
  readonly dns: DnsOptions | null;
  readonly logFile: string;
  readonly machine: Machine;
}): string {
  const { home, api, joined, http, dns, logFile, machine } = options;
  const missing = Object.values(machine.isolation).filter(({ holds }) => !holds);
  return [
    `Drover runs on ${machine.hostName}${joined === null ? "" : `, as machine "${joined.machine}"`}.`,
    joined === null ? `  API    http://${formatAddress(api)}` : `  server ${joined.address}`,
    `  apps   http://<app>.<space>.localhost:${http.port}`,
    ...(dns === null ? [] : [`  names  <app>.<space>.drover, from the DNS at ${formatAddress(dns.address)}`]),
    `  home   ${home}`,
    `  log    ${logFile}`,
    ...missing.map(({ how }, i) => `  ${i === 0 ? "note  " : "      "} ${how}`),
    'Stop it with Ctrl-C or "drover down"; what it runs comes back with the next "drover up".',
    "",
  ].join("\n");
}
