import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { DroverError } from "#model/errors.ts";
import { type Fence, isFenceLower } from "#model/link.ts";

interface StoredIdentity {
  readonly installation: string;
  readonly fence: Fence;
}

/** Whose edge this is and the highest fence that it has seen, on disk, so that a restart does not make it forget a newer server. */
export class EdgeIdentity {
  readonly #file: string;
  #installation: string | null;
  #fence: Fence;

  private constructor(file: string, installation: string | null, highest: Fence) {
    this.#file = file;
    this.#installation = installation;
    this.#fence = highest;
  }

  /** @throws {Error} if the file is there but cannot be read: guessing would let an older server give orders. */
  static async load(folder: string): Promise<EdgeIdentity> {
    const file = join(folder, "identity.json");
    const text = await readTextIfThere(file);
    if (text === null) return new EdgeIdentity(file, null, { epoch: 0, term: 0 });
    const read: unknown = JSON.parse(text);
    if (!isStoredIdentity(read)) throw new Error(`"${file}" is not what an edge has written`);
    return new EdgeIdentity(file, read.installation, read.fence);
  }

  get installation(): string | null {
    return this.#installation;
  }

  /** @throws {DroverError} ORDER_OUTDATED if the server is older than one that was obeyed. */
  async admit(server: { readonly installation: string; readonly fence: Fence }): Promise<void> {
    if (isFenceLower(server.fence, this.#fence))
      throw new DroverError(
        "ORDER_OUTDATED",
        `the server has term ${server.fence.epoch}.${server.fence.term}, the edge has obeyed ${this.#fence.epoch}.${this.#fence.term}`,
        { hint: "A newer server has taken over; stop the old one." },
      );
    this.#installation = server.installation;
    this.#fence = server.fence;
    await writeFileAtomic(this.#file, `${JSON.stringify({ installation: this.#installation, fence: this.#fence })}\n`);
  }
}

function isStoredIdentity(value: unknown): value is StoredIdentity {
  const { installation, fence } = (value ?? {}) as Partial<Record<keyof StoredIdentity, unknown>>;
  const { epoch, term } = (fence ?? {}) as Partial<Record<keyof Fence, unknown>>;
  return typeof installation === "string" && Number.isSafeInteger(epoch) && Number.isSafeInteger(term);
}
