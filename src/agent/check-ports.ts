import { type Address, formatAddress } from "#host/address.ts";
import { DroverError } from "#model/errors.ts";
import { describeOwner, type HeldSocket, heldSockets, listenersOn } from "./engines/local/listeners.ts";
import { isTaken } from "./engines/local/ports.ts";
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
    if (!(await isTaken(address))) continue;
    own ??= heldSockets([...(await findStrays(instancesFolder)).keys()]);
    const holders = [...(listenersOn(address.port) ?? [])];
    if (holders.some(({ inode }) => own?.has(inode))) continue;
    const [holder] = holders;
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
