import { setImmediate as nextTurn } from "node:timers/promises";
import { errorFields } from "#host/log.ts";
import { digestsOf } from "#link/certificate-digest.ts";
import type { AcmeChallenge, CertificateChange, CertificateDigests, EdgeCertificate, MachineIdentity } from "#model/certificates.ts";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import { Wakeup } from "#model/wakeup.ts";
import { Backoff } from "../controllers/backoff.ts";
import type { EdgePeer } from "../fleet/peers.ts";

/** Certificates in one request: some 300 KB, which an edge writes to its disk before it answers. */
const atOnce = 100;

/** What every edge should have. */
export interface WantedCertificates {
  readonly certificates: readonly EdgeCertificate[];
  readonly challenges: readonly AcmeChallenge[];
  readonly ticketKeys: string;
  /** Of the edge's own machine; null: traffic between machines is plain. */
  readonly identity: MachineIdentity | null;
}

/** Keeps one edge's certificates equal to those that are wanted: asks what it has, by digest, and sends what differs. */
export class EdgeCertificates {
  readonly #peer: EdgePeer;
  readonly #wanted: () => Promise<WantedCertificates>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Log;
  #isDirty = true;
  readonly #wakeup = new Wakeup();
  #settled: (() => void)[] = [];

  constructor(options: {
    readonly peer: EdgePeer;
    readonly wanted: () => Promise<WantedCertificates>;
    readonly clock: Clock;
    readonly random: () => number;
    readonly log: Log;
  }) {
    this.#peer = options.peer;
    this.#wanted = options.wanted;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log;
  }

  get isGone(): boolean {
    return this.#peer.gone.aborted;
  }

  /** Something changed. Resolves once the edge has it, or is gone. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isGone) return resolve();
      this.#settled.push(resolve);
      this.#isDirty = true;
      this.#wakeup.wake();
    });
  }

  async run(parent: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([parent, this.#peer.gone]);
    const backoff = new Backoff<"edge">(this.#random);
    try {
      while (!signal.aborted) {
        if (!this.#isDirty) {
          await this.#wakeup.wait(signal);
          // What changes together is sent together.
          await nextTurn();
          continue;
        }
        this.#isDirty = false;
        const settled = this.#settled.splice(0);
        try {
          await this.#send(signal);
          backoff.succeeded("edge");
          for (const resolve of settled) resolve();
        } catch (error) {
          this.#isDirty = true;
          this.#settled.unshift(...settled);
          if (signal.aborted) return;
          this.#log.warn("certificates not taken by edge", { machine: this.#peer.machine, ...errorFields(error) });
          await pause(this.#clock, backoff.failed("edge"), signal);
        }
      }
    } finally {
      for (const resolve of this.#settled.splice(0)) resolve();
    }
  }

  async #send(signal: AbortSignal): Promise<void> {
    const wanted = await this.#wanted();
    const have = await this.#peer.certificates(signal);
    // Challenges and ticket keys go first: an authority may be about to look.
    for (const change of differences(wanted, have)) await this.#peer.patchCertificates(change, signal);
  }
}

function differences(
  { certificates, challenges, ticketKeys, identity }: WantedCertificates,
  have: CertificateDigests,
): readonly CertificateChange[] {
  const want = digestsOf({ set: certificates, remove: [], challenges, ticketKeys, identity });
  const set = certificates.filter(({ id }) => have.certificates[id] !== want.certificates[id]);
  const remove = Object.keys(have.certificates).filter((id) => want.certificates[id] === undefined);
  const shared = {
    ...(have.challenges === want.challenges ? {} : { challenges }),
    ...(have.ticketKeys === want.ticketKeys ? {} : { ticketKeys }),
    // An edge that is too old to have one is not told of none.
    ...(have.identity === want.identity || (have.identity === undefined && identity === null) ? {} : { identity }),
  };
  const changes: CertificateChange[] = [];
  if (Object.keys(shared).length > 0) changes.push({ set: [], remove: [], ...shared });
  // What is new before what goes, so that a host whose certificate changes hands is never without one.
  for (let at = 0; at < set.length; at += atOnce) changes.push({ set: set.slice(at, at + atOnce), remove: [] });
  if (remove.length > 0) changes.push({ set: [], remove });
  return changes;
}
