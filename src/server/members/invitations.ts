import { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import type { RemoteLinks } from "./remote-links.ts";

/** What a machine needs to join by itself. */
export interface Invitation {
  /** `HOST:PORT` that it is to dial. */
  readonly address: string;
  /** Good once, for a machine of this name. */
  readonly token: string;
  readonly expiresAtMs: number;
}

/**
 * Lets a machine of this name join. A member of this name gives its place to the one that comes.
 * @param own the machine beside the server; null: not known
 * @throws {DroverError} CONFLICT if the name is that of the machine beside the server; OVERLOADED after too many tokens
 */
export async function inviteMachine(
  links: Pick<RemoteLinks, "address" | "createToken">,
  own: string | null,
  machine: MachineId,
  labels: Readonly<Record<string, string>>,
): Promise<Invitation> {
  if (machine === own)
    throw new DroverError("CONFLICT", `"${machine}" is the machine that the server runs on`, {
      hint: "Choose another name for the new one.",
    });
  return { ...(await links.createToken(machine, labels)), address: links.address };
}
