import type { InstanceId } from "#model/names.ts";
import type { StatsdPorts } from "../../engines/local/statsd-port.ts";
import type { StatsdListeners, StatsdListenersOptions } from "./statsd-listeners.ts";

export interface LazyStatsd extends StatsdPorts {
  /** As `StatsdListeners.read`. */
  read(instance: InstanceId): Promise<ReturnType<StatsdListeners["read"]>>;
}

/** Listeners that are loaded with the first instance that asks for one: on most machines none does. */
export function lazyStatsd(options: StatsdListenersOptions): LazyStatsd {
  let loading: Promise<StatsdListeners> | null = null;
  const load = async () => new (await import("./statsd-listeners.ts")).StatsdListeners(options);
  const after = async (task: (listeners: StatsdListeners) => void) => {
    if (loading !== null) task(await loading);
  };
  return {
    open: async (instance, wanted, assign) => (await (loading ??= load())).open(instance, wanted, assign),
    close: (instance) => after((listeners) => listeners.close(instance)),
    closeAll: () => after((listeners) => listeners.closeAll()),
    read: async (instance) => (loading === null ? null : (await loading).read(instance)),
  };
}
