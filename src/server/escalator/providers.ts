import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import type { Pool } from "#model/pool.ts";
import { inviteMachine } from "../members/invitations.ts";
import type { RemoteLinks } from "../members/remote-links.ts";
import { createCommandProvider } from "../pools/command-provider.ts";
import type { Provider } from "../pools/provider.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { runTask, type TaskOptions } from "./actions/task.ts";

export interface ProviderOptions {
  readonly secrets: Secrets;
  /** Null: no other machine can join this server. */
  readonly remote: Pick<RemoteLinks, "address" | "createToken"> | null;
  readonly tasks: TaskOptions;
}

/** The provider of a pool, over what this server has. Its commands run at an agent, like all commands of users, and never in the server. */
export function providerOf(pool: Pool, { secrets, remote, tasks }: ProviderOptions): Provider {
  return createCommandProvider({
    pool,
    secrets: () => Object.fromEntries(pool.provider.secrets.map((name) => [name, reveal(secrets, pool.space, name)])),
    invite: async (machine) =>
      remote === null ? null : inviteMachine(remote, tasks.fleet.agent?.machine ?? null, machine, { pool: pool.name }),
    look: async (order, signal) => {
      const agent = tasks.fleet.requireAgent();
      try {
        return await agent.look(order, signal);
      } catch (error) {
        if (!agent.gone.aborted) throw error;
        throw new DroverError("CLUSTER_UNREACHABLE", "the agent was gone before it answered", { cause: error });
      }
    },
    act: ({ run, ...task }, signal) => runTask(tasks, pool.space, { ...task, command: { shell: run } }, signal),
  });
}

function reveal(secrets: Secrets, space: SpaceName, name: string): string {
  const latest = secrets.latest(space, name);
  if (latest !== null) return secrets.reveal(space, name, latest.version);
  throw new DroverError("SECRET_NOT_FOUND", `space "${space}" has no secret ${name}, which a pool's provider needs`, {
    hint: `Set it with \`drover secret set ${name} --space ${space}\`.`,
  });
}
