import type { TLSSocket } from "node:tls";

/** Where instances get their ports from, and so all that an entry leads to: nothing else that listens on loopback is anybody's business. */
const instancePorts = { first: 20_000, last: 29_999 } as const;

/** What is asked for in the handshake with a machine's entry: an instance by its port, and the machine, so that a stranger at its address is none. */
export function instanceAt(port: number, machine: string): string {
  return `${port}.${machine}`;
}

/** The instance's port; null if the name is of none, or of another machine's. */
export function portOf(serverName: string, machine: string): number | null {
  const dot = serverName.indexOf(".");
  const port = /^[2-9]\d{4}$/.test(serverName.slice(0, dot)) ? Number(serverName.slice(0, dot)) : 0;
  return serverName.slice(dot + 1) === machine && port >= instancePorts.first && port <= instancePorts.last ? port : null;
}

/** The one name that the certificate of whoever is at the other end is for; null for what no machine has. */
export function nameOf(socket: TLSSocket): string | null {
  const names = socket.getPeerX509Certificate()?.subjectAltName ?? "";
  return /^DNS:([a-z0-9.-]+)$/.exec(names)?.[1] ?? null;
}
