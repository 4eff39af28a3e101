import { type Clock, pause } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import { abilitiesOf, type Pool, type ProvidedMachine, type RedfishPool } from "#model/pool.ts";
import { numberOf } from "../../objects/pool-size.ts";
import { endOf, type Say } from "../end-of-call.ts";
import type { HostBook } from "../host-book.ts";
import type { Provider } from "../provider.ts";
import type { Bmc } from "./bmc.ts";

export interface RedfishProviderOptions {
  readonly pool: Pool & { readonly provider: RedfishPool };
  /** Which of the machines were made: a machine of metal is there before and after. */
  readonly book: HostBook;
  /** The controller of one machine. @throws {DroverError} SECRET_NOT_FOUND */
  readonly bmc: (url: string) => Bmc;
  readonly clock: Clock;
}

/** How often a machine that is being switched is looked at. */
const lookEveryMs = 2_000;
/** A system that was asked to end has so long before its power goes: services stop within the 90 s of systemd, or hang. */
const gentleMs = 120_000;
/** Controllers asked at once. */
const askedAtOnce = 10;

/**
 * Machines of metal that are there: making one is to switch it on, and taking it away to switch it off. The first of the list is number 1 for ever,
 * because what runs on it, Drover's agent among it, was brought there by others under that name.
 */
export function createRedfishProvider({ pool, book, bmc, clock }: RedfishProviderOptions): Provider {
  const { machines } = pool.provider;
  const metalOf = (machine: MachineId) => {
    const found = machines[numberOf(machine) - 1];
    if (found !== undefined) return found;
    throw new DroverError("PROVIDER_FAILED", `the list of pool "${pool.name}" has no machine number ${numberOf(machine)}`, {
      hint: "Add it to the list, or lower the number of machines.",
    });
  };
  const switchTo = async (machine: MachineId, to: "on" | "off", say: Say, signal: AbortSignal): Promise<boolean> => {
    const controller = bmc(metalOf(machine).bmc);
    const startedMs = clock.monotonicMs();
    let how: "gently" | "forced" = "gently";
    let asked = false;
    for (;;) {
      const power = await controller.power(signal);
      if (power === to) break;
      const isLate = how === "gently" && to === "off" && clock.monotonicMs() - startedMs >= gentleMs;
      if (isLate) {
        say(`${machine} did not end within ${gentleMs / 1_000} s, so its power is cut`);
        how = "forced";
      }
      if (!asked || isLate) await controller.reset(to, how, signal);
      asked = true;
      await pause(clock, lookEveryMs, signal);
      signal.throwIfAborted();
    }
    say(`${machine} is ${to}`);
    return true;
  };
  return {
    name: "redfish",
    can: abilitiesOf(pool.provider),
    list: async (signal) => {
      signal.throwIfAborted();
      const waiting = [...book.made()];
      const found: ProvidedMachine[] = [];
      const askNext = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const [name] = next;
          const { bmc: url, address } = metalOf(name);
          found.push({ name, address, power: await bmc(url).power(signal) });
        }
      };
      await Promise.all(Array.from({ length: Math.min(askedAtOnce, waiting.length) }, askNext));
      return found;
    },
    create: (call, signal) =>
      endOf(call, signal, async (say, until) => {
        await switchTo(call.machine, "on", say, until);
        await book.take(call.machine, metalOf(call.machine).bmc);
        return true;
      }),
    destroy: (call, signal) =>
      endOf(call, signal, async (say, until) => {
        if (book.of(call.machine) === null) return true;
        await switchTo(call.machine, "off", say, until);
        await book.free(call.machine, true);
        return true;
      }),
    converge: (call, signal) =>
      endOf(call, signal, async (say) => {
        say("what runs on a machine cannot be changed by its power");
        return false;
      }),
    power: (call, signal) => endOf(call, signal, (say, until) => switchTo(call.machine, call.to, say, until)),
  };
}
