import { errorFields } from "#host/log.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { Reason } from "#model/workload.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { objects } from "../objects/objects.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Store } from "../store/store.ts";
import { masksFor } from "../view/log-masks.ts";
import type { SecretMask } from "../view/mask-secrets.ts";
import { DestinationShipper, type DestinationShipperOptions } from "./destination-shipper.ts";
import { type Destination, destinationsOf } from "./destinations.ts";
import { openReceiver } from "./open-receiver.ts";
import { ProgressFiles } from "./progress.ts";

export interface ShippingOptions {
  /** Where it is written down how far each destination is. */
  readonly folder: string;
  readonly store: Store;
  readonly secrets: Secrets;
  readonly fleet: Pick<Fleet, "agents" | "apps" | "workloads">;
  readonly events: Pick<EventLog, "append">;
  readonly mask: SecretMask;
  readonly resolve: ResolveOutgoing;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

interface Running {
  readonly shipper: DestinationShipper;
  /** What it was started for, as text. */
  readonly of: string;
  readonly stop: AbortController;
}

/** Sends logs to others, as the spaces declare it: a shipper for each destination, by itself. */
export class Shipping {
  readonly #options: ShippingOptions;
  readonly #signal: AbortSignal;
  readonly #files: ProgressFiles;
  readonly #running = new Map<string, Running>();
  readonly #agents = new Set<AgentPeer>();
  /** Changes come one after another: a shipper ends before another one has its files. */
  #changing: Promise<void> = Promise.resolve();

  constructor(options: ShippingOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#files = new ProgressFiles(options.folder);
    for (const agent of options.fleet.agents()) this.follow(agent);
    this.look();
  }

  /** By space and name. */
  get shippers(): readonly DestinationShipper[] {
    return [...this.#running.values()].map(({ shipper }) => shipper).sort((a, b) => (keyOf(a.destination) < keyOf(b.destination) ? -1 : 1));
  }

  get problems(): readonly Reason[] {
    return this.shippers.flatMap(({ trouble }) => trouble.problems);
  }

  follow(agent: AgentPeer): void {
    this.#agents.add(agent);
    agent.gone.addEventListener("abort", () => this.#agents.delete(agent), { once: true });
    for (const { shipper } of this.#running.values()) shipper.follow(agent);
  }

  /** Spaces changed, or may have. */
  look(): void {
    const { log } = this.#options;
    this.#changing = this.#changing
      .then(() => this.#settle())
      .catch((error: unknown) => {
        if (!this.#signal.aborted) log.error("logs are not sent as they should be", errorFields(error));
      });
  }

  async stopped(): Promise<void> {
    await this.#changing;
    await Promise.all([...this.#running.values()].map(({ shipper }) => shipper.stopped()));
  }

  async #settle(): Promise<void> {
    if (this.#signal.aborted) return;
    const { store } = this.#options;
    const wanted = new Map(objects.spaces(store).flatMap(({ value }) => destinationsOf(value).map((one) => [keyOf(one), one] as const)));
    for (const [key, running] of this.#running) {
      const destination = wanted.get(key);
      if (destination !== undefined && JSON.stringify(destination) === running.of) continue;
      running.stop.abort(new Error("the destination was changed or removed"));
      this.#running.delete(key);
      await running.shipper.stopped();
    }
    await this.#files.sweep((space, name) => wanted.has(`${space}/${name}`));
    for (const [key, destination] of wanted) if (!this.#running.has(key)) this.#start(key, destination);
  }

  #start(key: string, destination: Destination): void {
    const { secrets, mask, events, resolve, clock, random, log } = this.#options;
    const masks: DestinationShipperOptions["masksFor"] = (agent, prefixes) => masksFor(this.#options, agent, prefixes);
    const stop = new AbortController();
    const receiver = openReceiver(destination, { secrets, resolve, clock });
    const signal = AbortSignal.any([this.#signal, stop.signal]);
    const shipper = new DestinationShipper(
      { destination, receiver, files: this.#files, mask, masksFor: masks, events, clock, random, log },
      signal,
    );
    this.#running.set(key, { shipper, of: JSON.stringify(destination), stop });
    for (const agent of this.#agents) shipper.follow(agent);
  }
}

function keyOf({ space, name }: Pick<Destination, "space" | "name">): string {
  return `${space}/${name}`;
}
