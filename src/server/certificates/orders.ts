import { errorFields } from "#host/log.ts";
import type { AcmeChallenge } from "#model/certificates.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { Acme } from "#plan/certificates/plan-certificates.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Sealer } from "../secrets/sealer.ts";
import type { Store } from "../store/store.ts";
import { AcmeProblem } from "./acme/problem.ts";
import { type AcmeSettings, acmeSettings } from "./acme-settings.ts";
import { type FailedOrder, FailedOrders } from "./failed-orders.ts";
import type { Orderer } from "./orderer.ts";
import { readChain } from "./read-chain.ts";
import { keepCertificate } from "./stored-certificates.ts";

/** Orders under way at once: authorities count requests, and none of them is in a hurry. */
const concurrency = 2;
/** Minutes after a first failure, doubling to half a day: Let's Encrypt allows five failed validations of a name an hour. */
const firstRetryMs = 15 * 60_000;
const longestRetryMs = 12 * 3_600_000;

export interface OrdersOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly events: EventLog;
  readonly orderer: Orderer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly onChallenges: (challenges: readonly AcmeChallenge[]) => Promise<void>;
  readonly onOrdered: () => void;
  readonly own: (work: Promise<void>) => void;
}

/** Orders under way, those that failed, and when they are tried again. */
export class Orders {
  readonly #options: OrdersOptions;
  readonly #signal: AbortSignal;
  readonly #waiting = new Set<string>();
  readonly #underWay = new Set<string>();
  readonly #failures: FailedOrders;
  readonly #challenges = new Set<AcmeChallenge>();
  #routed: ReadonlySet<string> = new Set();

  constructor(options: OrdersOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#failures = new FailedOrders(options.store, options.log);
  }

  settings(): Acme | null {
    const settings = acmeSettings(this.#options.store);
    if (settings === null) return null;
    return { orders: settings.challenge === "dns-01" ? "hosts and wildcards" : "hosts", isPrivate: settings.caPem !== null };
  }

  /** When failed hosts may be ordered again. */
  get notBeforeMs(): ReadonlyMap<string, number> {
    return new Map(this.#failed().map(({ host, nextAtMs }) => [host, nextAtMs]));
  }

  failureOf(host: string): string | null {
    return this.#failures.get(host, acmeSettings(this.#options.store))?.message ?? null;
  }

  /** Of routed hosts. */
  failures(): readonly { readonly host: string; readonly message: string }[] {
    return this.#failed().filter(({ host }) => this.#routed.has(host));
  }

  /** These are the hosts that may need certificates. */
  async route(hosts: ReadonlySet<string>): Promise<void> {
    this.#routed = hosts;
    await this.#failures.keepOnly(hosts, this.#options.clock.nowMs());
  }

  #failed(): ReturnType<FailedOrders["all"]> {
    return this.#failures.all(acmeSettings(this.#options.store));
  }

  /** @throws {DroverError} ACME_FAILED if there is no authority to order from. */
  async renew(host: string): Promise<void> {
    if (acmeSettings(this.#options.store) === null)
      throw new DroverError("ACME_FAILED", `no certificate can be ordered for ${host}: no authority is set`, {
        hint: 'Set one with "drover certificate acme".',
      });
    await this.#failures.forget(host);
    if (!this.#underWay.has(host)) this.#waiting.add(host);
    this.#next();
  }

  /** What is due, all of it: what else waited is not wanted any more. */
  start(hosts: readonly string[]): void {
    this.#waiting.clear();
    for (const host of hosts) if (!this.#underWay.has(host)) this.#waiting.add(host);
    this.#next();
  }

  #next(): void {
    for (const host of this.#waiting) {
      if (this.#signal.aborted || this.#underWay.size >= concurrency) return;
      this.#waiting.delete(host);
      this.#underWay.add(host);
      this.#options.own(
        this.#order(host).finally(() => {
          this.#underWay.delete(host);
          this.#next();
          this.#options.onOrdered();
        }),
      );
    }
  }

  async #order(host: string): Promise<void> {
    const { store, sealer, orderer, events, clock, log } = this.#options;
    const settings = acmeSettings(store);
    if (settings === null) return;
    try {
      const { cert, key } = await orderer.order(host, settings, (challenge) => this.#show(challenge), this.#signal);
      const chain = readChain(cert);
      const kept = keepCertificate(sealer, { id: `acme/${host}`, origin: "acme", chain, key, nowMs: clock.nowMs() });
      await store.commit({ changes: [kept, ...this.#failures.succeeded(host)] });
      const message = `${host} has a new certificate, good until ${chain.leaf.validToDate.toISOString()}`;
      events.append({ subject: `acme/${host}`, kind: "certificate.ordered", message });
    } catch (error) {
      if (this.#signal.aborted) return;
      const failure = this.#failure(host, settings, error);
      await this.#failures.set(host, settings, failure);
      log.warn("certificate could not be ordered", { host, retry_in_ms: failure.nextAtMs - clock.nowMs(), ...errorFields(error) });
      const message = `no certificate could be ordered for ${host}: ${failure.message}`;
      events.append({ subject: `acme/${host}`, kind: "certificate.order-failed", message });
    }
  }

  #failure(host: string, settings: AcmeSettings, error: unknown): FailedOrder {
    const { clock, random } = this.#options;
    const count = this.#failures.get(host, settings)?.count ?? 0;
    const ownMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(count, 10)) * (0.75 + random() / 2);
    // The authority knows best when it will hear of it again.
    const waitMs = Math.max(ownMs, error instanceof AcmeProblem ? (error.retryAfterMs ?? 0) : 0);
    return { count: count + 1, message: error instanceof Error ? error.message : String(error), nextAtMs: clock.nowMs() + waitMs };
  }

  async #show(challenge: AcmeChallenge): Promise<() => Promise<void>> {
    const tell = () => this.#options.onChallenges([...this.#challenges]);
    this.#challenges.add(challenge);
    await tell();
    return () => {
      this.#challenges.delete(challenge);
      return tell();
    };
  }
}
