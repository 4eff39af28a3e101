import { type Clock, pause } from "#model/clock.ts";
import type { MachineId } from "#model/names.ts";
import type { ProvidedMachine } from "#model/pool.ts";

/** How often the provider is asked whether a machine is as it was told. */
const lookAgainMs = 1_000;
/** Lists of providers lag behind what they do: so often one may say what was before, although it was changed a moment ago. */
const patientLooks = 15;

/**
 * Asks a provider until it says that a machine is as it should be, or has said something else for too long. A machine that is on its way is waited for as
 * long as the signal lets: machines take minutes.
 * @returns what it said of the machine last; undefined: it is not there
 */
export async function untilPower(
  list: () => Promise<readonly ProvidedMachine[]>,
  machine: MachineId,
  isDone: (power: ProvidedMachine["power"] | undefined) => boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProvidedMachine | undefined> {
  for (let looks = 1; ; looks++) {
    const found = (await list()).find(({ name }) => name === machine);
    if (isDone(found?.power)) return found;
    // What is not even on its way will not come by itself.
    if (found?.power !== "changing" && looks >= patientLooks) return found;
    await pause(clock, lookAgainMs, signal);
    signal.throwIfAborted();
  }
}

/** Such as `not there`. */
export function powerWords(machine: ProvidedMachine | undefined): string {
  return machine?.problem?.message ?? machine?.power ?? "not there";
}
