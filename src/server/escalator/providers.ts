import { join } from "node:path";
import { readHostAndPort } from "#host/address.ts";
import { type Distribution, ownRoot, packDistribution } from "#host/distribution.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { MachineId, SpaceName } from "#model/names.ts";
import type { CommandPool, Pool, RedfishPool, SshPool } from "#model/pool.ts";
import type { Members } from "#ssh/add-machine.ts";
import { inviteMachine } from "../members/invitations.ts";
import { findMember } from "../members/members.ts";
import type { RemoteLinks } from "../members/remote-links.ts";
import { standingOf } from "../members/standings.ts";
import { objects } from "../objects/objects.ts";
import { createCommandProvider } from "../pools/command-provider.ts";
import { openHostBook } from "../pools/host-book.ts";
import type { Provider, RunCommand } from "../pools/provider.ts";
import { openBmc } from "../pools/redfish/bmc.ts";
import { createRedfishProvider } from "../pools/redfish/redfish-provider.ts";
import { storedPins } from "../pools/redfish/stored-pins.ts";
import { createSshProvider } from "../pools/ssh/ssh-provider.ts";
import { findNeighbour } from "../programs/neighbours.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { runTask, type TaskOptions } from "./actions/task.ts";

export interface ProviderOptions {
  readonly secrets: Secrets;
  /** Null: no other machine can join this server. */
  readonly remote: Pick<RemoteLinks, "address" | "createToken"> | null;
  /** Makes a machine a stranger, if it is a member. */
  readonly forgetMember: (machine: MachineId) => Promise<void>;
  /** What the server keeps of SSH. */
  readonly sshFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Judges addresses that users named. */
  readonly outgoing: ResolveOutgoing;
  readonly tasks: TaskOptions;
  readonly log: Log;
}

/** Makes the providers of pools, over what this server has. @param signal ends what they share */
export function createProviders(options: ProviderOptions, signal: AbortSignal): (pool: Pool) => Provider {
  const { sshFolder } = options;
  let packing: Promise<Distribution> | null = null;
  const distribution = () =>
    (packing ??= packDistribution(ownRoot, join(sshFolder, "parts"), signal).catch((error: unknown) => {
      packing = null;
      throw error;
    }));
  return ({ provider, ...pool }) => {
    switch (provider.kind) {
      case "command":
        return commandProvider({ ...pool, provider }, options);
      case "ssh":
        return sshProvider({ ...pool, provider }, distribution, options);
      case "redfish":
        return redfishProvider({ ...pool, provider }, options);
      default:
        return provider satisfies never;
    }
  };
}

/** Its commands run at an agent, like all commands of users, and never in the server. */
function commandProvider(pool: Pool & { readonly provider: CommandPool }, { secrets, remote, tasks }: ProviderOptions): Provider {
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
    act: actFor(pool.space, tasks),
  });
}

function actFor(space: SpaceName, tasks: TaskOptions): RunCommand {
  return ({ run, ...task }, signal) => runTask(tasks, space, { ...task, command: { shell: run } }, signal);
}

/** The server logs in by itself: its key is nobody else's. */
function sshProvider(
  pool: Pool & { readonly provider: SshPool },
  distribution: () => Promise<Distribution>,
  options: ProviderOptions,
): Provider {
  const { secrets, sshFolder, environment, tasks } = options;
  return createSshProvider({
    pool,
    store: tasks.store,
    folder: sshFolder,
    // A space has its own: who may apply there could use a host that lets in another's. A space that is made anew is another one.
    ownKey: `${pool.space}-${objects.space(tasks.store, pool.space)?.value.createdAtMs}`,
    secret: (name) => reveal(secrets, pool.space, name),
    members: membersOf(options),
    act: actFor(pool.space, tasks),
    distribution,
    environment,
    clock: tasks.clock,
  });
}

function redfishProvider(pool: Pool & { readonly provider: RedfishPool }, { secrets, outgoing, tasks }: ProviderOptions): Provider {
  const { machines, user, password, ca } = pool.provider;
  const { store, clock } = tasks;
  const pins = storedPins(store, pool);
  const secret = (name: string) => reveal(secrets, pool.space, name);
  return createRedfishProvider({
    pool,
    book: openHostBook(
      store,
      pool,
      machines.map(({ bmc }) => bmc),
    ),
    bmc: (url) => openBmc({ url, user: secret(user), password: secret(password), ca, pins, resolve: outgoing, clock }),
    clock,
  });
}

function membersOf({ remote, forgetMember, log, tasks: { store, fleet } }: ProviderOptions): Members | null {
  const join = remote === null ? null : readHostAndPort(remote.address);
  if (remote === null || join === null) return null;
  return {
    join,
    linked: async () => new Set(fleet.machines().flatMap(({ id, peer }) => (peer === null ? [] : id))),
    known: async () => new Set(fleet.machines().flatMap(({ id }) => (findMember(store, id) === null ? [] : id))),
    createToken: async (machine, labels) => (await inviteMachine(remote, fleet.agent?.machine ?? null, machine as MachineId, labels)).token,
    forget: (machine) => forgetMember(machine as MachineId),
    neighbour: (question, signal) => {
      const machines = fleet.machines().map(({ id }) => ({ id, address: fleet.addressOf(id), labels: standingOf(store, id).labels }));
      return findNeighbour(machines, (id) => fleet.agentOn(id), question, log, signal);
    },
  };
}

function reveal(secrets: Secrets, space: SpaceName, name: string): string {
  const latest = secrets.latest(space, name);
  if (latest !== null) return secrets.reveal(space, name, latest.version);
  throw new DroverError("SECRET_NOT_FOUND", `space "${space}" has no secret ${name}, which a pool's provider needs`, {
    hint: `Set it with \`drover secret set ${name} --space ${space}\`.`,
  });
}
