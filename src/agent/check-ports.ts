import { type Address, formatAddress } from "#host/address.ts";
import { DroverError } from "#model/errors.ts";
import { describeOwner, type HeldSocket, heldSockets, listenersOn } from "./engines/local/listeners.ts";
import { isPortFree } from "./engines/local/ports.ts";
import { findStrays } from "./engines/local/process-group.ts";

/**
 * Makes sure that Drover can listen where it was told to, before anything is started. Its own programs of before may still be there.
 * @throws {DroverError} PORT_IN_USE, naming the owner
 */
export async function checkPorts(
  wanted: readonly { readonly what: string; readonly flag: string; readonly address: Address }[],
  instancesFolder: string,
): Promise<void> {
  let own: ReadonlyMap<string, HeldSocket> | null = null;
  for (const { what, flag, address } of wanted) {
    if (await isPortFree(address.port)) continue;
    own ??= heldSockets([...(await findStrays(instancesFolder)).keys()]);
    const [holder] = listenersOn(address.port) ?? [];
    if (holder !== undefined && own.has(holder.inode)) continue;
    const owner = holder === undefined ? null : await describeOwner(holder.inode);
    throw new DroverError(
      "PORT_IN_USE",
      `${what} cannot listen on ${formatAddress(address)}: it is taken by ${owner ?? "another process"}`,
      {
        hint: `Stop what listens there, or choose another address with ${flag} HOST:PORT.`,
      },
    );
  }
}
