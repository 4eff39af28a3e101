import { errorFields } from "#host/log.ts";
import { followStore } from "../controllers/follow-store.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { objects } from "../objects/objects.ts";
import type { Shipping, ShippingOptions } from "./shipping.ts";

/** What is loaded once a space has its lines sent somewhere: installations that keep them to themselves pay nothing for it. */
export interface LazyShipping {
  follow(agent: AgentPeer): void;
  /** Null while nothing is sent anywhere. */
  running(): Shipping | null;
  stopped(): Promise<void>;
}

export function lazyShipping(options: ShippingOptions, signal: AbortSignal): LazyShipping {
  const { store, clock, log } = options;
  let loading: Promise<void> | null = null;
  let started: Shipping | null = null;
  const load = async () => {
    const { Shipping: Loaded } = await import("./shipping.ts");
    started = new Loaded(options, signal);
  };
  const look = () => {
    if (started !== null) started.look();
    else if (loading === null && objects.spaces(store).some(({ value }) => Object.keys(value.logs?.ship ?? {}).length > 0))
      loading = load().catch((error: unknown) => {
        // The next change of a space tries again.
        loading = null;
        log.error("logs cannot be sent", errorFields(error));
      });
  };
  const following = followStore("/spaces/", look, look, { store, clock, log }, signal);
  look();
  return {
    follow: (agent) => started?.follow(agent),
    running: () => started,
    stopped: async () => {
      await Promise.all([following, loading]);
      await started?.stopped();
    },
  };
}
