import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { DroverError } from "#model/errors.ts";
import { type Fence, isFenceLower } from "#model/link.ts";

interface StoredIdentity {
  readonly installation: string;
  readonly fence: Fence;
}

/** Whose agent this is, and the highest fence that it has obeyed: on disk, so that a restart does not make it obey an older server. */
export class AgentIdentity {
  readonly #file: string;
  #stored: StoredIdentity | null;

  private constructor(file: string, stored: StoredIdentity | null) {
    this.#file = file;
    this.#stored = stored;
  }

  /** @throws {Error} if the file is there but is not ours: guessing would let an older server give orders. */
  static async load(file: string): Promise<AgentIdentity> {
    const text = await readTextIfThere(file);
    const read: unknown = text === null ? null : JSON.parse(text);
    if (read !== null && !isStoredIdentity(read)) throw new Error(`"${file}" is not what an agent has written`);
    return new AgentIdentity(file, read);
  }

  get installation(): string | null {
    return this.#stored?.installation ?? null;
  }

  /** @throws {DroverError} ORDER_OUTDATED if the server is older than one that was obeyed; INSTALLATION_MISMATCH */
  async admit(server: StoredIdentity): Promise<void> {
    const known = this.#stored;
    if (known !== null && server.installation !== known.installation) {
      throw new DroverError(
        "INSTALLATION_MISMATCH",
        `the server is installation ${server.installation}, this agent belongs to ${known.installation}`,
        {
          hint: "Restore the server's backup, or give Drover a new home directory.",
        },
      );
    }
    if (known !== null && isFenceLower(server.fence, known.fence)) {
      const { epoch, term } = known.fence;
      throw new DroverError(
        "ORDER_OUTDATED",
        `the server has term ${server.fence.epoch}.${server.fence.term}, the agent has obeyed ${epoch}.${term}`,
        {
          hint: "A newer server has taken over; stop the old one.",
        },
      );
    }
    const { installation, fence } = server;
    if (known !== null && !isFenceLower(known.fence, fence)) return;
    await writeFileAtomic(this.#file, `${JSON.stringify({ installation, fence })}\n`);
    this.#stored = { installation, fence };
  }
}

function isStoredIdentity(value: unknown): value is StoredIdentity {
  const { installation, fence } = (value ?? {}) as Partial<Record<keyof StoredIdentity, unknown>>;
  const { epoch, term } = (fence ?? {}) as Partial<Record<keyof Fence, unknown>>;
  return typeof installation === "string" && Number.isSafeInteger(epoch) && Number.isSafeInteger(term);
}
