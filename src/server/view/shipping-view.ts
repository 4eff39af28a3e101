import type { ShippingDestinationView } from "#model/api-shipping.ts";
import type { Clock } from "#model/clock.ts";
import type { UnsentAnswer } from "#model/log-shipping.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { missingSources } from "../operations/missing-sources.ts";
import type { DestinationShipper, MachineShipping } from "../shipping/destination-shipper.ts";
import type { Store } from "../store/store.ts";
import { askPeers } from "./peer-answers.ts";

export interface ShippingViewOptions {
  readonly store: Store;
  readonly fleet: Pick<Fleet, "agents" | "machines">;
  readonly clock: Clock;
}

/** How it is with each destination, asked of the machines now: while it takes nothing, nobody else asks them. */
export async function viewShipping(
  shippers: readonly DestinationShipper[],
  options: ShippingViewOptions,
  signal: AbortSignal,
): Promise<readonly ShippingDestinationView[]> {
  return Promise.all(shippers.map((shipper) => viewDestination(shipper, options, signal)));
}

async function viewDestination(
  { destination, machines, trouble }: DestinationShipper,
  { store, fleet, clock }: ShippingViewOptions,
  signal: AbortSignal,
): Promise<ShippingDestinationView> {
  const { space, name, kind, to, manifest, scope, sinceMs } = destination;
  const missing = missingSources(store, space, manifest);
  const known = new Map(machines.map((one) => [one.machine, one]));
  const placesOf = (one: MachineShipping | undefined) => one?.progress.places ?? {};
  const asked = await askPeers(
    fleet.agents(),
    (agent, until) => agent.unsentLogs({ ...scope, sinceMs, places: placesOf(known.get(agent.machine)), waitMs: 0 }, until),
    clock,
    signal,
  );
  const answers: UnsentAnswer[] = [];
  const silent: { machine: string; why: string }[] = [];
  for (const one of asked) {
    const { machine } = one.peer;
    if (!("answer" in one)) silent.push({ machine, why: one.why });
    else if (one.answer === null) silent.push({ machine, why: "its agent is too old to have its lines sent" });
    else answers.push(one.answer);
  }
  const linked = new Set(fleet.agents().map(({ machine }) => machine));
  for (const { id } of fleet.machines()) if (!linked.has(id)) silent.push({ machine: id, why: "it is not linked" });
  const progress = machines.map((one) => one.progress);
  const sum = (of: readonly number[]) => of.reduce((all, one) => all + one, 0);
  const behindSince = answers.map((answer) => answer.sinceMs).filter((ms) => ms !== null);
  const sentAt = progress.map(({ sentAtMs }) => sentAtMs).filter((ms) => ms !== null);
  return {
    space,
    name,
    kind,
    to,
    sinceMs,
    sent: sum(progress.map(({ sent }) => sent)),
    refused: sum(progress.map(({ refused }) => refused)),
    lostLines: sum(progress.map(({ lostLines }) => lostLines)),
    sentAtMs: sentAt.length === 0 ? null : Math.max(...sentAt),
    behind: {
      lines: sum(answers.map(({ lines }) => lines)),
      bytes: sum(answers.map(({ bytes }) => bytes)),
      sinceMs: behindSince.length === 0 ? null : Math.min(...behindSince),
    },
    failing: trouble.failing === null ? null : pickFailing(trouble.failing),
    missing: { apps: [...missing.apps], spaces: [...missing.spaces] },
    silent: silent.sort((a, b) => (a.machine < b.machine ? -1 : 1)),
  };
}

function pickFailing({ sinceMs, why, retryAtMs }: NonNullable<ShippingDestinationView["failing"]>): ShippingDestinationView["failing"] {
  return { sinceMs, why, retryAtMs };
}
