import { createHash } from "node:crypto";
import { errorFields } from "#host/log.ts";
import type { App } from "#model/app.ts";
import type { AcmeChallenge, CertificateFacts, EdgeCertificate } from "#model/certificates.ts";
import type { Clock } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { Reason } from "#model/workload.ts";
import { type CertificateAction, planCertificates } from "#plan/certificates/plan-certificates.ts";
import { Backoff } from "../controllers/backoff.ts";
import { followStore } from "../controllers/follow-store.ts";
import { WorkQueue } from "../controllers/work-queue.ts";
import type { EventLog } from "../events/event-log.ts";
import type { EdgePeer } from "../fleet/peers.ts";
import type { MachineIdentities } from "../members/machine-identities.ts";
import { objects, read } from "../objects/objects.ts";
import type { Sealer } from "../secrets/sealer.ts";
import type { Change, Store } from "../store/store.ts";
import { Alerts } from "./alerts.ts";
import type { Authority } from "./authority.ts";
import { EdgeCertificates, type WantedCertificates } from "./edge-certificates.ts";
import type { Orderer } from "./orderer.ts";
import { Orders } from "./orders.ts";
import { readChain } from "./read-chain.ts";
import { dropCertificate, keepCertificate, listCertificates, revealCertificate } from "./stored-certificates.ts";
import { ticketKeys } from "./ticket-keys.ts";

/** Certificates that are made between two commits: some 100 ms of work. */
const atOnce = 50;
/** As many as a person adds by hand are made at once; making these takes some 30 ms. */
const fewIssues = 20;
/** More than those come with apps that are all being started: their work goes first, because without it there is nothing to encrypt. */
const manyIssuesAfterMs = 1_000;
/** Timers of Node hold at most 2^31 ms. */
const longestWaitMs = 86_400_000;

export interface CertificateControllerOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly events: EventLog;
  readonly authority: () => Promise<Authority>;
  readonly orderer: Orderer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Who the machines are to each other; null: their traffic is plain. */
  readonly machines: Pick<MachineIdentities, "of" | "follow"> | null;
}

/** Sees to it that each routed host has a certificate, that it is renewed, and that every edge has it. */
export class CertificateController {
  readonly #options: CertificateControllerOptions;
  readonly #signal: AbortSignal;
  readonly #queue: WorkQueue<"all">;
  readonly #running = new Set<Promise<void>>();
  readonly #edges = new Set<EdgeCertificates>();
  readonly #orders: Orders;
  readonly #alerts: Alerts;
  readonly #backoff: Backoff<"pass">;
  #serving: ReadonlyMap<string, readonly string[]> = new Map();
  /** Host → the certificate's id. */
  #shownTo: ReadonlyMap<string, string> = new Map();
  #wanted: Omit<WantedCertificates, "identity"> = { certificates: [], challenges: [], ticketKeys: "" };
  /** By key of its app, what `/apps/` said last. */
  readonly #routedBy = new Map<string, string>();
  /** When those that are too many to be made at once are made, in epoch milliseconds; null while there are none. */
  #manyIssuesAtMs: number | null = null;
  /** Of what the edges are to have, by id. */
  #prints: ReadonlyMap<string, string> = new Map();
  #failure: string | null = null;
  /** Nothing is said to any edge before the first pass: what it has is better than nothing. */
  #hasPassed = false;

  constructor(options: CertificateControllerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#backoff = new Backoff(options.random);
    this.#queue = new WorkQueue({ concurrency: 1, work: () => this.#pass(), clock: options.clock }, signal);
    this.#orders = new Orders(
      { ...options, onChallenges: (challenges) => this.#show(challenges), onOrdered: () => this.wake(), own: (work) => this.#own(work) },
      signal,
    );
    this.#alerts = new Alerts({ ...options, failureOf: (host) => this.failureOf(host) });
    const wake = () => this.wake();
    this.#own(followStore("/apps/", (key) => this.#appChanged(key), wake, options, signal));
    for (const prefix of ["/certificates/", "/tls/"]) this.#own(followStore(prefix, wake, wake, options, signal));
    const { machines } = options;
    if (machines !== null) this.#own(machines.follow(() => this.#edgesChanged(), signal));
    this.wake();
  }

  /** Looks at everything again. */
  wake(): void {
    this.#queue.wake("all");
  }

  /** Makes or orders a certificate for the host now, whatever there is and whatever failed before. @throws {DroverError} ACME_FAILED */
  async renew(origin: "own" | "acme", host: string): Promise<void> {
    if (origin === "own") await this.#issue([host]);
    else await this.#orders.renew(host);
  }

  /** Hosts that each certificate serves, by its id. */
  get serving(): ReadonlyMap<string, readonly string[]> {
    return this.#serving;
  }

  /** What the routed host is shown; null if there is nothing yet. */
  certificateOf(host: string): { readonly id: string; readonly isTrusted: boolean } | null {
    const id = this.#shownTo.get(host);
    return id === undefined ? null : { id, isTrusted: isTrusted(id) };
  }

  failureOf(host: string): string | null {
    return this.#orders.failureOf(host);
  }

  problems(): readonly Reason[] {
    const problems: Reason[] = [...this.#alerts.problems()];
    for (const { host, message } of this.#orders.failures())
      problems.push({ code: "ACME_FAILED", message: `no certificate could be ordered for ${host}: ${message}` });
    if (this.#failure !== null)
      problems.push({ code: "CERTIFICATES_STUCK", message: `certificates cannot be kept right: ${this.#failure}` });
    return problems;
  }

  edgeLinked(peer: EdgePeer): void {
    const { clock, random, log, machines } = this.#options;
    const wanted = async () => ({ ...this.#wanted, identity: (await machines?.of(peer.machine)) ?? null });
    const edge = new EdgeCertificates({ peer, wanted, clock, random, log });
    this.#edges.add(edge);
    if (this.#hasPassed) this.#start(edge);
  }

  async stopped(): Promise<void> {
    await this.#queue.stopped();
    await Promise.all(this.#running);
  }

  /** A deploy writes its app several times; that changes no certificate unless it changes hosts. */
  #appChanged(key: string): void {
    const app = read<App>(this.#options.store, key);
    const hosts = app === null ? "" : hostsOf(app.value).join();
    if (hosts === (this.#routedBy.get(key) ?? "")) return;
    if (hosts === "") this.#routedBy.delete(key);
    else this.#routedBy.set(key, hosts);
    this.wake();
  }

  #start(edge: EdgeCertificates): void {
    const run = async () => {
      await edge.run(this.#signal);
      this.#edges.delete(edge);
    };
    this.#own(run());
  }

  #own(work: Promise<void>): void {
    const running = work.catch((error: unknown) => {
      if (!this.#signal.aborted) this.#options.log.error("part of the certificates stopped", errorFields(error));
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  async #pass(): Promise<number | null> {
    const { clock, log } = this.#options;
    try {
      const untilMs = await this.#reconcile();
      this.#backoff.succeeded("pass");
      this.#failure = null;
      return clock.monotonicMs() + Math.min(longestWaitMs, Math.max(0, untilMs - clock.nowMs()));
    } catch (error) {
      if (this.#signal.aborted) return null;
      this.#failure = error instanceof Error ? error.message : String(error);
      log.error("certificates cannot be kept right", errorFields(error));
      return clock.monotonicMs() + this.#backoff.failed("pass");
    }
  }

  /** @returns when to look again, in epoch milliseconds. */
  async #reconcile(): Promise<number> {
    const { store, sealer, clock } = this.#options;
    const hosts = routedHosts(store);
    const certificates = listCertificates(store);
    const nowMs = clock.nowMs();
    await this.#orders.route(hosts);
    const plan = planCertificates({
      hosts,
      certificates,
      acme: this.#orders.settings(),
      notBeforeMs: this.#orders.notBeforeMs,
      jitterOf: (host) => createHash("sha256").update(`${store.installation} ${host}`).digest().readUInt16BE(0) / 65_536,
      nowMs,
    });
    this.#serving = plan.serving;
    this.#shownTo = new Map([...plan.serving].flatMap(([id, served]) => served.map((host) => [host, id])));
    await this.#alerts.set(plan.alerts, certificates);
    this.#orders.start(plan.actions.flatMap((action) => (action.kind === "order" ? [action.host] : [])));
    const manyIssuesAtMs = await this.#make(plan.actions, nowMs);
    const tickets = hosts.size === 0 ? null : await ticketKeys(store, sealer, nowMs);
    this.#tellEdges(certificates, tickets?.keys ?? "");
    return Math.min(...[plan.replanAtMs, tickets?.untilMs, manyIssuesAtMs].map((atMs) => atMs ?? Number.POSITIVE_INFINITY));
  }

  /** What was made is seen by the next pass, which the store's watch wakes. @returns when what was left is to be made; null if nothing was. */
  async #make(actions: readonly CertificateAction[], nowMs: number): Promise<number | null> {
    const { store } = this.#options;
    const drops = actions.flatMap((action) => (action.kind === "drop" ? [dropCertificate(action.id)] : []));
    if (drops.length > 0) await store.commit({ changes: drops, leadsToDeletions: true });
    const issues = actions.flatMap((action) => (action.kind === "issue" ? [action.host] : []));
    this.#manyIssuesAtMs =
      issues.length <= fewIssues ? null : Math.min(this.#manyIssuesAtMs ?? Number.POSITIVE_INFINITY, nowMs + manyIssuesAfterMs);
    if (this.#manyIssuesAtMs !== null && nowMs < this.#manyIssuesAtMs) return this.#manyIssuesAtMs;
    for (let at = 0; at < issues.length; at += atOnce) await this.#issue(issues.slice(at, at + atOnce));
    return null;
  }

  async #issue(hosts: readonly string[]): Promise<void> {
    const { store, authority, sealer, clock } = this.#options;
    const issuer = await authority();
    const changes: Change[] = [];
    for (const host of hosts) {
      const { key, cert } = await issuer.issue(host, [host]);
      changes.push(keepCertificate(sealer, { id: `own/${host}`, origin: "own", chain: readChain(cert), key, nowMs: clock.nowMs() }));
      this.#signal.throwIfAborted();
    }
    await store.commit({ changes });
  }

  #tellEdges(certificates: readonly CertificateFacts[], tickets: string): void {
    const { store, sealer } = this.#options;
    const before = new Map(this.#wanted.certificates.map((certificate) => [certificate.id, certificate]));
    const prints = new Map(certificates.map(({ id, fingerprint }) => [id, fingerprint]));
    const next: EdgeCertificate[] = [];
    for (const [id, hosts] of this.#serving) {
      const kept = before.get(id);
      if (kept !== undefined && this.#prints.get(id) === prints.get(id) && kept.hosts.join() === hosts.join()) next.push(kept);
      else {
        const revealed = revealCertificate(store, sealer, id, hosts);
        if (revealed !== null) next.push(revealed);
      }
    }
    this.#prints = prints;
    const isSame = next.length === before.size && next.every((certificate) => before.get(certificate.id) === certificate);
    if (this.#hasPassed && isSame && this.#wanted.ticketKeys === tickets) return;
    this.#wanted = { ...this.#wanted, certificates: next, ticketKeys: tickets };
    this.#edgesChanged();
    if (this.#hasPassed) return;
    this.#hasPassed = true;
    for (const edge of this.#edges) this.#start(edge);
  }

  #edgesChanged(): void {
    for (const edge of this.#edges) void edge.change();
  }

  /** Resolves once every linked edge answers with the challenges. */
  async #show(challenges: readonly AcmeChallenge[]): Promise<void> {
    this.#wanted = { ...this.#wanted, challenges };
    await Promise.all([...this.#edges].map((edge) => edge.change()));
  }
}

/** By its id: all but those of Drover's own authority. */
function isTrusted(id: string): boolean {
  return !id.startsWith("own/");
}

/** Hosts that the edge ends TLS for. */
function routedHosts(store: Store): ReadonlySet<string> {
  const hosts = new Set<string>();
  for (const { value } of objects.apps(store)) for (const host of hostsOf(value)) hosts.add(host);
  return hosts;
}

function hostsOf({ destroying, routes }: App): readonly string[] {
  if (destroying) return [];
  return routes.flatMap((route) =>
    "host" in route && route.host !== "*" && route.passthrough !== true && route.policy?.tls?.mode !== "off" ? [route.host] : [],
  );
}
