import type { LogMasks } from "#model/log-mask.ts";
import type { SpaceName } from "#model/names.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { objects } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";
import type { SecretMask } from "./mask-secrets.ts";

export interface LogMasksOptions {
  readonly store: Store;
  readonly fleet: Pick<Fleet, "apps" | "workloads">;
  readonly mask: SecretMask;
}

/**
 * The values that a question to this agent must not find, by space. The machine beside the server gets all of them; another one those of secrets that
 * workloads which it runs have, and no other machine's: that a machine is taken over must not tell more than what it runs.
 * @param prefixes of instances that are asked for
 */
export function masksFor(options: LogMasksOptions, agent: Pick<AgentPeer, "machine" | "isRemote">, prefixes: readonly string[]): LogMasks {
  const spaces = prefixes.includes("")
    ? objects.spaces(options.store).map(({ value }) => value.name)
    : [...new Set(prefixes.map((prefix) => prefix.split("/", 1)[0] as SpaceName))];
  const masks = spaces.map((space) => {
    const given = agent.isRemote ? secretsGivenTo(options, agent, space) : null;
    return [space, options.mask.forms(space, (name) => given === null || given.has(name))] as const;
  });
  return Object.fromEntries(masks.filter(([, forms]) => forms.length > 0));
}

function secretsGivenTo({ store, fleet }: LogMasksOptions, { machine }: Pick<AgentPeer, "machine">, space: SpaceName): ReadonlySet<string> {
  const names = new Set<string>();
  for (const app of fleet.apps()) {
    if (!app.startsWith(`${space}/`)) continue;
    for (const { name, machine: on } of fleet.workloads(app)) {
      if (on !== machine) continue;
      const release = objects.release(store, name.space, name.app, name.release);
      for (const secret of Object.keys(release?.value.spec.secrets ?? {})) names.add(secret);
    }
  }
  return names;
}
