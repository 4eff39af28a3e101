import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import { digestsOf } from "#link/certificate-digest.ts";
import type { AcmeChallenge, CertificateChange, CertificateDigests, EdgeCertificate, MachineIdentity } from "#model/certificates.ts";
import type { Log } from "#model/log.ts";
import { readCertificateChange } from "./read-certificates.ts";

/** The certificates that the edge has, in memory and in a file that only its user reads, so that it serves them without the server. */
export class Certificates {
  readonly #file: string;
  readonly #certificates = new Map<string, EdgeCertificate>();
  #challenges: readonly AcmeChallenge[] = [];
  #ticketKeys = "";
  #identity: MachineIdentity | null = null;
  #written: Promise<void> = Promise.resolve();

  private constructor(file: string) {
    this.#file = file;
  }

  /** What was kept last; nothing if that cannot be read: then the edge waits for the server's. */
  static async load(folder: string, log: Log): Promise<Certificates> {
    const certificates = new Certificates(join(folder, "certificates.json"));
    try {
      const text = await readTextIfThere(certificates.#file);
      if (text !== null) certificates.#take(readCertificateChange(JSON.parse(text)));
    } catch (error) {
      log.error("the certificates on disk cannot be read; waiting for the server's", { file: certificates.#file, ...errorFields(error) });
    }
    return certificates;
  }

  /** All of it, as the change from nothing. */
  get whole(): CertificateChange {
    return {
      set: [...this.#certificates.values()],
      remove: [],
      challenges: this.#challenges,
      ticketKeys: this.#ticketKeys,
      identity: this.#identity,
    };
  }

  get digests(): CertificateDigests {
    return digestsOf(this.whole);
  }

  /** Resolves once it is on disk. */
  async change(change: CertificateChange): Promise<void> {
    this.#take(change);
    const write = () => writeFileAtomic(this.#file, `${JSON.stringify(this.whole)}\n`, { mode: 0o600 });
    // One after another, so that the file never goes back to an older state.
    this.#written = this.#written.then(write, write);
    await this.#written;
  }

  #take({ set, remove, challenges, ticketKeys, identity }: CertificateChange): void {
    for (const id of remove) this.#certificates.delete(id);
    for (const certificate of set) this.#certificates.set(certificate.id, certificate);
    this.#challenges = challenges ?? this.#challenges;
    this.#ticketKeys = ticketKeys ?? this.#ticketKeys;
    if (identity !== undefined) this.#identity = identity;
  }
}
