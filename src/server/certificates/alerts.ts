import { errorFields } from "#host/log.ts";
import type { CertificateFacts } from "#model/certificates.ts";
import type { Log } from "#model/log.ts";
import type { Reason } from "#model/workload.ts";
import type { CertificateAlert } from "#plan/certificates/plan-certificates.ts";
import type { EventLog } from "../events/event-log.ts";
import { keys, put, read } from "../objects/objects.ts";
import type { Store } from "../store/store.ts";

export interface AlertsOptions {
  readonly store: Store;
  readonly events: EventLog;
  readonly log: Log;
  /** Why the certificate was not renewed, as far as anyone said. */
  readonly failureOf: (host: string) => string | null;
}

/** Certificates that near their end: as events, each of its last days once, also over restarts of the server. */
export class Alerts {
  readonly #options: AlertsOptions;
  #alerts: readonly CertificateAlert[] = [];
  /** Id → the number of days that was told last. */
  #told: Readonly<Record<string, number>>;

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#told = read<Readonly<Record<string, number>>>(options.store, keys.certificateAlerts)?.value ?? {};
  }

  async set(alerts: readonly CertificateAlert[], certificates: readonly CertificateFacts[]): Promise<void> {
    const { store, events, log } = this.#options;
    this.#alerts = alerts;
    for (const { id, days } of alerts) {
      if (this.#told[id] === days) continue;
      const hosts = certificates.find((certificate) => certificate.id === id)?.hosts ?? [];
      const message = `the certificate ${id} for ${hosts.join(", ")} ${this.#ends(id, days)}`;
      events.append({ subject: id, kind: days === 0 ? "certificate.expired" : "certificate.expiring", message, details: { days } });
    }
    const told = Object.fromEntries(alerts.map(({ id, days }) => [id, days]));
    const isSame = JSON.stringify(told) === JSON.stringify(this.#told);
    this.#told = told;
    if (isSame) return;
    try {
      await store.commit({ changes: [put(keys.certificateAlerts, told)] });
    } catch (error) {
      // Told once more after a restart, at worst.
      log.warn("which ends of certificates were told could not be kept", errorFields(error));
    }
  }

  problems(): readonly Reason[] {
    return this.#alerts.map(({ id, days }) => ({ code: "CERTIFICATE_EXPIRING", message: `certificate ${id} ${this.#ends(id, days)}` }));
  }

  #ends(id: string, days: number): string {
    const failure = id.startsWith("acme/") ? this.#options.failureOf(id.slice("acme/".length)) : null;
    const end = days === 0 ? "is over" : `ends within ${days === 1 ? "a day" : `${days} days`} and was not renewed`;
    return failure === null ? end : `${end}: ${failure}`;
  }
}
