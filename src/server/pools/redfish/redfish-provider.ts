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
/** Controllers asked at once: a connection each. */
const askedAtOnce = 32;

/** What goes wrong with one controller, and says nothing of the others. */
const isOfController = ({ code }: DroverError) =>
  ["PROVIDER_FAILED", "PROVIDER_TIMED_OUT", "PROVIDER_ANSWER_INVALID", "ADDRESS_REFUSED"].includes(code);

/**
 * Machines of metal that are there: making one is to switch it on, and taking it away to switch it off. The first of the list is number 1 for ever,
 * because what runs on it, Drover's agent among it, was brought there by others under that name.
 */
export function createRedfishProvider({ pool, book, bmc, clock }: RedfishProviderOptions): Provider {
  const { machines, timeoutMs } = pool.provider;
  /** Machines whose controllers did not answer when they were asked last: they are asked after the others, which have their answers by then. */
  const silent = new Set<MachineId>();
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
  const ask = async (name: MachineId, signal: AbortSignal, limit: AbortSignal): Promise<ProvidedMachine> => {
    const address = machines[numberOf(name) - 1]?.address ?? null;
    // Its turn never came, which says nothing of it.
    if (limit.aborted) return { name, address, power: "unknown", problem: tooLate(name, timeoutMs) };
    try {
      const power = await bmc(metalOf(name).bmc).power(AbortSignal.any([signal, limit]));
      silent.delete(name);
      return { name, address, power };
    } catch (error) {
      signal.throwIfAborted();
      const problem = limit.aborted ? tooLate(name, timeoutMs) : error;
      if (!(problem instanceof DroverError) || !isOfController(problem)) throw problem;
      silent.add(name);
      return { name, address, power: "unknown", problem };
    }
  };
  return {
    name: "redfish",
    can: abilitiesOf(pool.provider),
    list: async (signal) => {
      signal.throwIfAborted();
      const limit = AbortSignal.timeout(timeoutMs);
      const waiting = book
        .made()
        .map(([name]) => name)
        .sort((a, b) => Number(silent.has(a)) - Number(silent.has(b)));
      const found: ProvidedMachine[] = [];
      const askNext = async () => {
        for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) found.push(await ask(name, signal, limit));
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

function tooLate(machine: MachineId, timeoutMs: number): DroverError {
  return new DroverError(
    "PROVIDER_TIMED_OUT",
    `the controller of ${machine} did not answer within the ${timeoutMs / 1_000} s of the list`,
    {
      hint: "Is it on? Give the list more with `timeout` in the pool's provider if the controller is slow.",
    },
  );
}
