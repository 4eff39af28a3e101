import type { InstanceId, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import type { TableChange } from "../router.ts";
import { serverAddress } from "./quoting.ts";

/** What a change of the table does to instances. */
export interface InstanceChange {
  /** Those in the table that were in what changed. */
  readonly present: ReadonlySet<InstanceId>;
  /** Those that left what changed, and where they were; they may be in the table elsewhere. */
  readonly released: ReadonlyMap<InstanceId, readonly string[]>;
}

/** The routing table as it is wanted. */
export class DesiredRoutes {
  readonly #routes = new Map<RouteId, Route>();
  /** Endpoints of each instance in the table. */
  readonly #endpoints = new Map<InstanceId, number>();

  get all(): ReadonlyMap<RouteId, Route> {
    return this.#routes;
  }

  /** Whether an instance is in the table. */
  has(instance: InstanceId): boolean {
    return this.#endpoints.has(instance);
  }

  change({ set, remove }: TableChange): InstanceChange {
    const present = new Set<InstanceId>();
    const released = new Map<InstanceId, string[]>();
    for (const id of remove) this.#set(id, null, present, released);
    for (const route of set) this.#set(route.id, route, present, released);
    return { present, released };
  }

  #set(id: RouteId, route: Route | null, present: Set<InstanceId>, released: Map<InstanceId, string[]>): void {
    const before = this.#routes.get(id);
    // What comes is counted before what goes, so that an instance that stays never seems to have left.
    for (const { endpoints } of route?.targets ?? [])
      for (const { instance } of endpoints) {
        this.#endpoints.set(instance, (this.#endpoints.get(instance) ?? 0) + 1);
        present.add(instance);
      }
    for (const { endpoints } of before?.targets ?? [])
      for (const { instance, host, port } of endpoints) {
        const left = (this.#endpoints.get(instance) ?? 0) - 1;
        if (left > 0) this.#endpoints.set(instance, left);
        else this.#endpoints.delete(instance);
        const addresses = released.get(instance) ?? [];
        addresses.push(serverAddress(host, port) ?? "");
        released.set(instance, addresses);
      }
    if (route === null) this.#routes.delete(id);
    else this.#routes.set(id, route);
  }
}
