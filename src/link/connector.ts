import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import type { Home } from "#host/home.ts";
import { dial } from "./dial.ts";
import type { Membership } from "./secure/membership.ts";

/** How a machine's programs reach the server: by its own socket, or over the network on a machine that has joined another's. */
export interface Connector {
  /** Null where the server is on this machine. */
  readonly membership: Membership | null;
  connect(signal: AbortSignal): Promise<Socket>;
}

/** @throws {Error} if the machine has joined and what it keeps of that cannot be read */
export async function openConnector(home: Home): Promise<Connector> {
  if (!existsSync(home.link)) return { membership: null, connect: (signal) => dial(home.linkSocket, signal) };
  // What TLS takes is loaded on machines that have joined alone.
  const [{ readMembership, openLinkKey }, { dialMember }] = await Promise.all([
    import("./secure/membership.ts"),
    import("./secure/dial.ts"),
  ]);
  const membership = await readMembership(home.link);
  if (membership === null) return { membership, connect: (signal) => dial(home.linkSocket, signal) };
  return {
    membership,
    // Read each time: it is renewed while its machine is linked.
    connect: async (signal) => dialMember((await readMembership(home.link)) ?? membership, await openLinkKey(home.link), signal),
  };
}
