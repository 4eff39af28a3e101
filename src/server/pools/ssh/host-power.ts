import { type Clock, pause } from "#model/clock.ts";
import type { MachineId } from "#model/names.ts";
import type { Pool, SshPool } from "#model/pool.ts";
import { parseTarget } from "#model/ssh-target.ts";
import type { Say } from "../end-of-call.ts";
import type { HostBook } from "../host-book.ts";
import type { ProviderCall, RunCommand } from "../provider.ts";
import { answersSsh } from "./answers-ssh.ts";

export interface HostPowerOptions {
  readonly pool: Pool & { readonly provider: SshPool };
  readonly book: HostBook;
  readonly act: RunCommand;
  /** Value of a secret of the pool's space. @throws {DroverError} SECRET_NOT_FOUND */
  readonly secret: (name: string) => string;
  readonly clock: Clock;
}

/** Hosts take minutes to end and to start. */
const lookEveryMs = 1_000;

export type SwitchHost = (call: ProviderCall & { readonly to: "on" | "off" }, say: Say, signal: AbortSignal) => Promise<boolean>;

/** What a pool's command line is told of a host: which of its machines it is, and where it is reached. */
export function hostVariables(
  { space, name, provider }: Pool & { readonly provider: SshPool },
  machine: MachineId,
  host: string,
): Readonly<Record<string, string>> {
  return {
    ...provider.env,
    DROVER_SPACE: space,
    DROVER_POOL: name,
    DROVER_MACHINE: machine,
    DROVER_HOST: parseTarget(host).host,
  };
}

/**
 * Switches hosts by the pool's own command line, since none can be switched on over SSH. On is what greets by SSH again, and off what does not any more:
 * both are waited for within the time of the call, because a command that only asked for it ends long before.
 */
export function createHostPower({ pool, book, act, secret, clock }: HostPowerOptions): SwitchHost {
  const { power, secrets } = pool.provider;
  return async ({ machine, key, timeoutMs, to }, say, signal) => {
    const host = book.of(machine)?.host;
    if (power === null || host === undefined) {
      say(power === null ? `the provider of pool "${pool.name}" has no command for power` : `no host is ${machine}`);
      return false;
    }
    const end = await act(
      {
        key,
        part: `power ${machine} ${to}`,
        run: power,
        env: { ...hostVariables(pool, machine, host), DROVER_VERB: "power", DROVER_POWER: to },
        secrets: Object.fromEntries(secrets.map((name) => [name, secret(name)])),
        timeoutMs,
      },
      signal,
    );
    signal.throwIfAborted();
    if (end.output !== "") say(end.output);
    if (end.result !== "ok") return false;
    const target = parseTarget(host);
    while ((await answersSsh(target, signal)) !== (to === "on")) {
      await pause(clock, lookEveryMs, signal);
      signal.throwIfAborted();
    }
    say(`${host} is ${to}`);
    return true;
  };
}
