import { DroverError } from "#model/errors.ts";
import type { RouteId } from "#model/names.ts";
import type { Route, RoutingPatch, RoutingTable } from "#model/routing-table.ts";
import { sameData } from "#model/same-data.ts";
import type { TableChange } from "../router/router.ts";

export interface TableVersion {
  readonly epoch: number;
  readonly revision: number;
}

/** The routes that are wanted, and what changed since the one before. */
export class Table {
  #version: TableVersion;
  readonly #routes = new Map<RouteId, Route>();

  constructor(start: RoutingTable = { epoch: 0, revision: 0, routes: [] }) {
    this.#version = { epoch: start.epoch, revision: start.revision };
    for (const route of start.routes) this.#routes.set(route.id, route);
  }

  get version(): TableVersion {
    return this.#version;
  }

  routes(): readonly Route[] {
    return [...this.#routes.values()];
  }

  /**
   * Takes a whole table in place of the one there is, and returns the difference.
   * @throws {DroverError} ORDER_OUTDATED if it is older.
   */
  replace(table: RoutingTable): TableChange {
    this.#refuseOlder(table);
    const set: Route[] = [];
    const wanted = new Set<RouteId>();
    for (const route of table.routes) {
      wanted.add(route.id);
      if (!sameData(this.#routes.get(route.id), route)) set.push(route);
    }
    const remove = [...this.#routes.keys()].filter((id) => !wanted.has(id));
    return this.#change({ set, remove }, table);
  }

  /** @throws {DroverError} CONFLICT if it starts from another revision than this table's, ORDER_OUTDATED if it is older. */
  patch(patch: RoutingPatch): TableChange {
    this.#refuseOlder(patch);
    const { epoch, revision } = this.#version;
    if (patch.epoch !== epoch || patch.from !== revision)
      throw new DroverError("CONFLICT", `the patch starts from revision ${patch.epoch}.${patch.from}, the edge has ${epoch}.${revision}`, {
        hint: "Send the whole table.",
        details: this.#version,
      });
    return this.#change({ set: patch.set, remove: patch.remove.filter((id) => this.#routes.has(id)) }, patch);
  }

  #refuseOlder({ epoch, revision }: TableVersion): void {
    const now = this.#version;
    if (epoch > now.epoch || (epoch === now.epoch && revision >= now.revision)) return;
    throw new DroverError("ORDER_OUTDATED", `the table is of revision ${epoch}.${revision}, the edge has ${now.epoch}.${now.revision}`, {
      hint: "Another server has given newer orders.",
      details: now,
    });
  }

  #change(change: TableChange, { epoch, revision }: TableVersion): TableChange {
    for (const id of change.remove) this.#routes.delete(id);
    for (const route of change.set) this.#routes.set(route.id, route);
    this.#version = { epoch, revision };
    return change;
  }
}
