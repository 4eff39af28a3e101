import { type CertificateFacts, type CertificateOrigin, coversHost, isPublicHost } from "#model/certificates.ts";

const dayMs = 86_400_000;
/** Days before its end at which somebody is told of a certificate that was not renewed: time to act, little time, and none. */
export const alertDays = [14, 7, 1] as const;

export interface Acme {
  /** Only with DNS-01 can a wildcard be ordered (RFC 8555, section 7.1.3, and every authority's rules). */
  readonly orders: "hosts" | "hosts and wildcards";
  /** Also names that the public does not reach, for an authority inside. */
  readonly isPrivate: boolean;
}

export interface CertificatesInput {
  /** Routed with TLS, in lower case. */
  readonly hosts: ReadonlySet<string>;
  readonly certificates: readonly CertificateFacts[];
  /** Null: none is asked. */
  readonly acme: Acme | null;
  /** Earliest time of the next attempt for hosts whose last one failed, in epoch milliseconds. */
  readonly notBeforeMs: ReadonlyMap<string, number>;
  /** From 0 to 1, the same for a host at every call: spreads renewals. */
  readonly jitterOf: (host: string) => number;
  readonly nowMs: number;
}

export type CertificateAction =
  /** By Drover's own authority. */
  | { readonly kind: "issue"; readonly host: string; readonly reason: "missing" | "renewal" }
  | { readonly kind: "order"; readonly host: string; readonly reason: "missing" | "renewal" }
  | { readonly kind: "drop"; readonly id: string; readonly reason: "unrouted" | "replaced" | "expired" };

export interface CertificateAlert {
  readonly id: string;
  /** One of `alertDays`, or 0: it is over. */
  readonly days: number;
}

export interface CertificatesPlan {
  readonly actions: readonly CertificateAction[];
  /** Certificate id → the routed hosts that are served with it; together each host that has one, once. */
  readonly serving: ReadonlyMap<string, readonly string[]>;
  /** Of certificates that serve a host, and that somebody has to do something about. */
  readonly alerts: readonly CertificateAlert[];
  /** Earliest time that the plan can change with no new input, in epoch milliseconds; null if never. */
  readonly replanAtMs: number | null;
}

/**
 * Which certificate serves each host, and what has to be made, ordered or dropped. A file that somebody gave comes first, then an ordered one,
 * then one of Drover's own authority; among these an exact name before a wildcard, one that is still good before one that is not, and the one
 * that lasts longest. So the last good one serves for as long as no better one came.
 */
export function planCertificates(input: CertificatesInput): CertificatesPlan {
  const { nowMs } = input;
  const serving = new Map<string, string[]>();
  const actions: CertificateAction[] = [];
  const times: number[] = [];
  const byId = new Map(input.certificates.map((certificate) => [certificate.id, certificate]));
  const byName = indexByName(input.certificates);
  const soon = (ms: number) => {
    if (ms > nowMs) times.push(ms);
  };
  for (const host of [...input.hosts].sort()) {
    const best = chooseFor(host, byName, nowMs);
    if (best !== null) {
      serving.set(best.id, [...(serving.get(best.id) ?? []), host]);
      soon(best.notAfterMs);
    }
    if (best?.origin === "file" && best.notAfterMs > nowMs) continue;
    const wanted = makes(host, input);
    plan(wanted, host, byId.get(`${wanted === "order" ? "acme" : "own"}/${host}`));
    // Until the order is there, plain HTTP alone would be served to who insists on TLS.
    if (wanted === "order" && best === null) plan("issue", host, undefined);
  }
  for (const { id, origin, hosts, notAfterMs } of input.certificates) {
    if (serving.has(id) || origin === "file") continue;
    const isRouted = hosts.some((host) => input.hosts.has(host));
    // What was ordered is kept while it is good: authorities count, and a route may come back.
    if (origin === "acme" && notAfterMs > nowMs) soon(notAfterMs);
    else actions.push({ kind: "drop", id, reason: !isRouted ? "unrouted" : notAfterMs > nowMs ? "replaced" : "expired" });
  }
  const alerts = input.certificates.flatMap((certificate) => (serving.has(certificate.id) ? alertFor(certificate, nowMs, soon) : []));
  return { actions, serving, alerts, replanAtMs: times.length === 0 ? null : Math.min(...times) };

  function plan(kind: "issue" | "order", host: string, current: CertificateFacts | undefined): void {
    const dueMs = current === undefined ? nowMs : renewAtMs(current, input.jitterOf(host));
    const notBeforeMs = input.notBeforeMs.get(host) ?? 0;
    if (dueMs <= nowMs && (kind === "issue" || notBeforeMs <= nowMs))
      actions.push({ kind, host, reason: current === undefined ? "missing" : "renewal" });
    else soon(Math.max(dueMs, notBeforeMs));
  }
}

/** An own certificate is renewed at half of its life, an ordered one at two thirds of it: up to a tenth earlier, so that not all come at once. */
export function renewAtMs({ origin, notBeforeMs, notAfterMs }: CertificateFacts, jitter: number): number {
  const share = (origin === "own" ? 1 / 2 : 2 / 3) * (1 - jitter / 10);
  return notBeforeMs + (notAfterMs - notBeforeMs) * share;
}

function makes(host: string, { acme }: CertificatesInput): "issue" | "order" {
  if (acme === null || (host.startsWith("*") && acme.orders === "hosts")) return "issue";
  return acme.isPrivate || isPublicHost(host) ? "order" : "issue";
}

const rank: Readonly<Record<CertificateOrigin, number>> = { file: 0, acme: 1, own: 2 };

function indexByName(certificates: readonly CertificateFacts[]): ReadonlyMap<string, readonly CertificateFacts[]> {
  const byName = new Map<string, CertificateFacts[]>();
  for (const certificate of certificates)
    for (const name of certificate.hosts) byName.set(name, [...(byName.get(name) ?? []), certificate]);
  return byName;
}

function chooseFor(host: string, byName: ReadonlyMap<string, readonly CertificateFacts[]>, nowMs: number): CertificateFacts | null {
  const names = [host, `*${host.slice(host.indexOf("."))}`].filter((name) => coversHost(name, host));
  const candidates = names.flatMap((name, distance) =>
    (byName.get(name) ?? []).map((certificate) => ({ certificate, distance: name === host ? 0 : distance })),
  );
  candidates.sort(
    (a, b) =>
      Number(a.certificate.notAfterMs <= nowMs) - Number(b.certificate.notAfterMs <= nowMs) ||
      rank[a.certificate.origin] - rank[b.certificate.origin] ||
      a.distance - b.distance ||
      b.certificate.notAfterMs - a.certificate.notAfterMs ||
      (a.certificate.id < b.certificate.id ? -1 : 1),
  );
  return candidates[0]?.certificate ?? null;
}

function alertFor(
  { id, origin, notBeforeMs, notAfterMs }: CertificateFacts,
  nowMs: number,
  soon: (ms: number) => void,
): readonly CertificateAlert[] {
  if (origin === "own") return [];
  // Nobody is told of one that lives for a week on its first day, or of an ordered one in the first half of the time that there is to renew it.
  const longestMs = (notAfterMs - notBeforeMs) / (origin === "acme" ? 6 : 3);
  const limits = alertDays.filter((days) => days * dayMs <= longestMs);
  for (const days of limits) soon(notAfterMs - days * dayMs);
  if (notAfterMs <= nowMs) return [{ id, days: 0 }];
  const days = limits.reverse().find((limit) => notAfterMs - limit * dayMs <= nowMs);
  return days === undefined ? [] : [{ id, days }];
}
