import { DroverError } from "#model/errors.ts";
import type { Target } from "#model/ssh-target.ts";
import type { Connect } from "./client.ts";
import { openHost } from "./host.ts";

export interface RemoveContext {
  readonly connect: Connect;
  readonly password: ((user: string) => Promise<string>) | null;
  readonly log: (line: string) => void;
  readonly stage: (text: string) => void;
  /** Makes the server forget the machine. @throws {DroverError} CONFLICT while it runs something */
  readonly forget: (signal: AbortSignal) => Promise<void>;
}

/**
 * Takes a machine out of the cluster and Drover off its host. The host is looked at first, so that one that cannot be reached is still a member afterwards.
 * @returns the folder of volumes that is left there; null: nothing is
 * @throws {DroverError} CONFLICT if the host is another machine; SSH_FAILED, HOST_KEY_CHANGED, HOST_UNFIT; what `forget` throws
 */
export async function removeMachine(name: string, target: Target, context: RemoveContext, signal: AbortSignal): Promise<string | null> {
  const { stage, log, password } = context;
  stage("connecting");
  await using connection = await context.connect(target, log, signal);
  const host = await openHost({ connection, log, password }, signal);
  stage("looking");
  const { member, hasServer, foreign } = await host.facts(null, signal);
  if (hasServer || (member !== null && member.name !== name))
    throw new DroverError(
      "CONFLICT",
      `that host is not "${name}"${member === null ? ", but has a Drover of its own" : `, but "${member.name}"`}`,
      {
        hint: "Say with --at which host it is.",
      },
    );
  const [path] = foreign;
  if (path !== undefined)
    throw new DroverError("CONFLICT", `the Drover in ${path} there was installed by hand`, {
      hint: "Take it away by hand, and run the command without --uninstall.",
    });
  await context.forget(signal);
  stage("uninstalling");
  // Awaited here: the connection ends with this function.
  return await host.uninstall(signal);
}
