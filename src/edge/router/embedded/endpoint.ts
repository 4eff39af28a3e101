import type { Endpoint as TableEndpoint } from "#model/routing-table.ts";
import type { Drains, Instance } from "./drains.ts";
import type { UpstreamTls } from "./tls/upstream-tls.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

type Entry = NonNullable<TableEndpoint["entry"]>;

/** One address of an instance: its idle connections, and whether it takes new ones. */
export class Endpoint {
  readonly key: string;
  readonly instance: Instance;
  readonly host: string;
  readonly port: number;
  /** By which it is reached on another machine; null: plainly. */
  readonly entry: Entry | null;
  /** Routes that lead to it; none means that it gets nothing new. */
  routes = 0;
  /** Passed over until then, on the monotonic clock, while others are there. */
  ejectedUntilMs = 0;
  /** Failures in a row, and times in a row that they took it out. */
  failures = 0;
  ejections = 0;
  /** When it came to others and when it gets its full share, on the monotonic clock; 0 and 0 for one that was there from the start. */
  joinedMs = 0;
  warmMs = 0;

  readonly #drains: Drains;
  /** The one used last is on top: it is the least likely to be closing. */
  readonly #idle: UpstreamConnection[] = [];

  constructor(key: string, instance: Instance, { host, port, entry }: Omit<TableEndpoint, "instance">, drains: Drains) {
    this.key = key;
    this.instance = instance;
    this.host = host;
    this.port = port;
    this.entry = entry ?? null;
    this.#drains = drains;
  }

  get open(): number {
    return this.instance.open;
  }

  get isGone(): boolean {
    return this.routes === 0;
  }

  begin(): void {
    this.#drains.opened(this.instance);
  }

  end(): void {
    this.#drains.closed(this.instance);
  }

  /** An idle connection that was used after `sinceMs`, or null. @param tls what it has to have been verified by */
  takeIdle(sinceMs: number, tls: UpstreamTls | null): UpstreamConnection | null {
    const top = this.#idle.at(-1);
    if (top === undefined || top.idleSinceMs < sinceMs) return null;
    if (top.tls !== tls) return this.#takeIdleBelow(sinceMs, tls);
    this.#idle.pop();
    return top;
  }

  /** Routes with other rules lead here too, or the route had others before. */
  #takeIdleBelow(sinceMs: number, tls: UpstreamTls | null): UpstreamConnection | null {
    const at = this.#idle.findLastIndex((connection) => connection.tls === tls && connection.idleSinceMs >= sinceMs);
    return at === -1 ? null : (this.#idle.splice(at, 1)[0] ?? null);
  }

  /** Whether the connection was taken back. */
  giveIdle(connection: UpstreamConnection, most: number): boolean {
    if (this.isGone || this.#idle.length >= most) return false;
    this.#idle.push(connection);
    return true;
  }

  /** An idle connection has closed by itself. */
  forget(connection: UpstreamConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  /** The endpoint left the table: connections that nobody uses are closed, the others when their request is done. */
  retire(): void {
    this.closeIdle();
  }

  /** One of them was closed by the instance: the others may be too, and a request that tried each of them would run out of attempts. */
  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}
