import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { RouteId } from "#model/names.ts";
import type { LiveTarget } from "../choice.ts";
import type { Endpoint } from "../endpoint.ts";
import type { CanonicalHost } from "../http/host.ts";

/** Lines a second: a flood of failures must not become a flood on the disk. */
const mostEachSecond = 100;

/** One request, as the log tells it. Queries are left out: they hold tokens and what people search for. */
export interface AccessEntry {
  readonly [field: string]: string | number | boolean | null;
}

/** What is known of a request when it is over. */
export interface FinishedRequest {
  /** Empty: it was never sent to an instance. */
  readonly id: string;
  readonly client: string;
  readonly request: { readonly method: string; readonly host: CanonicalHost; readonly path: string };
  /** 0: cut off. */
  readonly status: number;
  /** Why the edge itself ended it; left out where the status says it. */
  readonly reason?: string | undefined;
  readonly tookMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly route: RouteId;
  readonly target: LiveTarget | null;
  readonly endpoint: Endpoint | null;
}

export function accessEntry({
  id,
  client,
  request,
  status,
  reason,
  tookMs,
  bytesIn,
  bytesOut,
  route,
  target,
  endpoint,
}: FinishedRequest): AccessEntry {
  return {
    request_id: id === "" ? null : id,
    client,
    method: request.method,
    host: request.host.header,
    path: request.path,
    status,
    ...(reason === undefined ? {} : { reason }),
    duration_ms: Math.round(tookMs),
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    route,
    release: target?.release ?? null,
    instance: endpoint?.instance.id ?? null,
  };
}

/** Requests as structured lines, so many a second at most. What is left out is counted and told. */
export class AccessLog {
  readonly #log: Log;
  readonly #clock: Clock;
  #secondEndsMs = 0;
  #told = 0;
  #leftOut = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** `entry` is asked for only if there is room for it. */
  record(entry: () => AccessEntry): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + 1_000;
      this.#told = 0;
      if (this.#leftOut > 0)
        this.#log.warn("requests left out of the access log", { count: this.#leftOut, lines_per_second: mostEachSecond });
      this.#leftOut = 0;
    }
    if (this.#told >= mostEachSecond) this.#leftOut++;
    else {
      this.#told++;
      this.#log.info("request", entry());
    }
  }
}
