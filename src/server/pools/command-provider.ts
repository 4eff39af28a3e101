import { DroverError } from "#model/errors.ts";
import { errorLine, type LookAnswer, type LookOrder } from "#model/look.ts";
import type { MachineId } from "#model/names.ts";
import { abilitiesOf, type CommandPool, type Pool, type ProvidedMachine, type ProviderVerb } from "#model/pool.ts";
import { stepsAppId } from "#model/steps.ts";
import type { Invitation } from "../members/invitations.ts";
import { readMachineList } from "./machine-list.ts";
import type { Provider, ProviderCall, ProviderEnd, RunCommand } from "./provider.ts";

/** A list of ten thousand machines is half of it. */
const longestAnswer = 2 ** 20;

export interface CommandProviderOptions {
  readonly pool: Pool & { readonly provider: CommandPool };
  /** Values of the secrets that the pool names. @throws {DroverError} SECRET_NOT_FOUND, SECRET_KEY_UNUSABLE */
  readonly secrets: () => Readonly<Record<string, string>>;
  /** Lets a machine of this name join, with what it needs for that; null where none can. @throws {DroverError} CONFLICT, OVERLOADED */
  readonly invite: (machine: MachineId) => Promise<Invitation | null>;
  /** Runs a command that looks, at an agent. @throws {DroverError} CLUSTER_UNREACHABLE */
  readonly look: (order: LookOrder, signal: AbortSignal) => Promise<LookAnswer>;
  readonly act: RunCommand;
}

/**
 * Machines that commands of the user make. What a command is to do stands in its environment: $DROVER_VERB, $DROVER_SPACE, $DROVER_POOL,
 * $DROVER_MACHINE and $DROVER_POWER, never in its arguments, where every user of the machine could read it. To `create` also how the machine joins:
 * $DROVER_JOIN_ADDRESS and $DROVER_JOIN_TOKEN.
 */
export function createCommandProvider({ pool, secrets, invite, look, act }: CommandProviderOptions): Provider {
  const { commands, env, timeoutMs } = pool.provider;
  const environment = (verb: ProviderVerb, more: Readonly<Record<string, string>> = {}) => ({
    ...env,
    DROVER_VERB: verb,
    DROVER_SPACE: pool.space,
    DROVER_POOL: pool.name,
    ...more,
  });
  const doVerb = async (
    verb: Exclude<ProviderVerb, "list">,
    { machine, key, timeoutMs: withinMs }: ProviderCall,
    more: Readonly<Record<string, string>>,
    signal: AbortSignal,
    secretly: Readonly<Record<string, string>> = {},
  ): Promise<ProviderEnd> => {
    const run = commands[verb];
    if (run === null) return { result: "failed", exitCode: null, output: `the provider of pool "${pool.name}" has no command for ${verb}` };
    const part = [verb, machine, ...Object.values(more)].join(" ");
    const variables = environment(verb, { ...more, DROVER_MACHINE: machine });
    return act({ key, part, run, env: variables, secrets: { ...secrets(), ...secretly }, timeoutMs: withinMs }, signal);
  };
  return {
    name: "command",
    can: abilitiesOf(pool.provider),
    list: async (signal) => {
      const values = secrets();
      const order = {
        app: stepsAppId(pool.space),
        run: commands.list,
        env: { ...environment("list"), ...values },
        timeoutMs,
        longestAnswer,
      };
      return readAnswer(pool, await look(order, signal), Object.values(values));
    },
    create: async (call, signal) => {
      // A call that is taken up after a crash does not get this one: nobody does, and it ends by itself.
      const invitation = await invite(call.machine);
      const joining = invitation === null ? {} : { DROVER_JOIN_ADDRESS: invitation.address, DROVER_JOIN_TOKEN: invitation.token };
      return doVerb("create", call, {}, signal, joining);
    },
    destroy: (call, signal) => doVerb("destroy", call, {}, signal),
    converge: (call, signal) => doVerb("converge", call, {}, signal),
    power: ({ to, ...call }, signal) => doVerb("power", call, { DROVER_POWER: to }, signal),
  };
}

function readAnswer(
  { name, provider }: Pool,
  { exitCode, answer, isAnswerCut, output }: LookAnswer,
  secrets: readonly string[],
): readonly ProvidedMachine[] {
  const whose = `pool "${name}"`;
  if (exitCode === null)
    throw new DroverError("PROVIDER_TIMED_OUT", `the list of ${whose} did not end within ${provider.timeoutMs / 1_000} s, and was ended`, {
      hint: "Give it more with `timeout` in the pool's provider, or make it faster.",
    });
  if (exitCode !== 0) {
    const words = errorLine(secrets.reduce((text, secret) => (secret === "" ? text : text.replaceAll(secret, "•••")), output));
    throw new DroverError("PROVIDER_FAILED", `the list of ${whose} exited with ${exitCode}${words === "" ? "" : `: ${words}`}`, {
      hint: `Run it by hand, with DROVER_VERB=list DROVER_POOL=${name} in its environment.`,
    });
  }
  if (isAnswerCut)
    throw new DroverError("PROVIDER_ANSWER_INVALID", `the list of ${whose} is longer than ${longestAnswer / 2 ** 20} MiB`, {
      hint: "Print the machines of this pool alone; what is for people goes to standard error.",
    });
  return readMachineList(answer, whose);
}
