import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import type { Home } from "#host/home.ts";
import { dial } from "./dial.ts";
import type { Membership } from "./secure/membership.ts";

/** How a machine's programs reach the server: by its own socket, or over the network on a machine that has joined another's. */
export interface Connector {
  /** Null where the server is on this machine. */
  readonly membership: Membership | null;
  /** By which address this machine reached the server last; null where the server is on this machine, or was not reached yet. */
  address(): string | null;
  connect(signal: AbortSignal): Promise<Socket>;
}

/** @throws {Error} if the machine has joined and what it keeps of that cannot be read */
export async function openConnector(home: Home): Promise<Connector> {
  if (!existsSync(home.link)) return local(home);
  // What TLS takes is loaded on machines that have joined alone.
  const [{ readMembership, openLinkKey }, { dialMember }] = await Promise.all([
    import("./secure/membership.ts"),
    import("./secure/dial.ts"),
  ]);
  const membership = await readMembership(home.link);
  if (membership === null) return local(home);
  let address: string | null = null;
  return {
    membership,
    address: () => address,
    connect: async (signal) => {
      // Read each time: it is renewed while its machine is linked.
      const socket = await dialMember((await readMembership(home.link)) ?? membership, await openLinkKey(home.link), signal);
      address = socket.localAddress ?? null;
      return socket;
    },
  };
}

function local(home: Home): Connector {
  return { membership: null, address: () => null, connect: (signal) => dial(home.linkSocket, signal) };
}
