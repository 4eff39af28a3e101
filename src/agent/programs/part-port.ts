import { createHash, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";

/** Whoever fetches says at once what it wants; a line to the other end of the world takes a part of a second. */
const sayWithinMs = 3_000;
/** Sockets that have not said yet what they want: as many as say it at the same time, of one address (a network may stand behind one) and of all. */
const mostSilentOfOne = 8;
const mostSilent = 64;
/** A socket that takes nothing for so long is of a host that is gone. */
const stallMs = 20_000;
/** As many hosts as are added at once. */
const mostGiven = 100;
const longestRequest = 200;

export interface PartOffer {
  readonly token: string;
  /** By digest. */
  readonly parts: Iterable<string>;
}

export interface PartPortOptions {
  /** Files of parts, by digest. */
  readonly files: ReadonlyMap<string, string>;
  /** Somebody took a part, or all of it: strangers who only connect are no use. */
  readonly onUse: () => void;
  readonly sayWithinMs?: number;
}

/**
 * Gives each part of an offer once, to whoever shows its token. Anybody may connect, and who says nothing keeps nobody out: past a bound, of one address or
 * of all, the one that has been silent for longest goes.
 */
export class PartPort {
  readonly server: Server;
  readonly #options: PartPortOptions;
  readonly #offers: { readonly token: Buffer; readonly left: Set<string> }[] = [];
  /** The one that is silent for longest first. */
  readonly #silent = new Set<Socket>();
  #given = 0;

  constructor(options: PartPortOptions) {
    this.#options = options;
    this.server = createServer((socket) => this.#hear(socket));
  }

  /** A part is on its way to somebody. */
  get isInUse(): boolean {
    return this.#given > 0;
  }

  offer({ token, parts }: PartOffer): void {
    this.#offers.push({ token: digestOf(token), left: new Set(parts) });
  }

  #hear(socket: Socket): void {
    this.#makeRoom(socket.remoteAddress);
    this.#silent.add(socket);
    // From its first moment, whatever it says meanwhile.
    const late = setTimeout(() => socket.destroy(), this.#options.sayWithinMs ?? sayWithinMs);
    const heard = () => {
      clearTimeout(late);
      this.#silent.delete(socket);
    };
    // Whoever fetches says itself what went wrong.
    socket.on("error", () => undefined);
    socket.once("close", heard);
    let said = "";
    const onData = (chunk: Buffer) => {
      said += chunk;
      if (!said.includes("\n") && said.length < longestRequest) return;
      socket.off("data", onData);
      heard();
      const file = this.#given < mostGiven ? this.#wanted(said) : null;
      if (file === null) socket.destroy();
      else void this.#give(file, socket);
    };
    socket.on("data", onData);
  }

  #makeRoom(address: string | undefined): void {
    const ofOne = [...this.#silent].filter(({ remoteAddress }) => remoteAddress === address);
    const [longest] = ofOne.length >= mostSilentOfOne ? ofOne : this.#silent.size >= mostSilent ? this.#silent : [];
    if (longest === undefined) return;
    this.#silent.delete(longest);
    longest.destroy();
  }

  async #give(file: string, socket: Socket): Promise<void> {
    const { onUse } = this.#options;
    this.#given++;
    onUse();
    socket.setTimeout(stallMs, () => socket.destroy());
    try {
      await pipeline(createReadStream(file, { highWaterMark: 2 ** 18 }), socket);
    } catch {
      // Whoever fetches says itself what went wrong.
      socket.destroy();
    } finally {
      this.#given--;
      onUse();
    }
  }

  /** Each part of an offer is given once. */
  #wanted(said: string): string | null {
    const [, token, digest] = /^drover-part (\S+) ([0-9a-f]{64})\n/.exec(said) ?? [];
    if (token === undefined || digest === undefined) return null;
    const shown = digestOf(token);
    const offer = this.#offers.find((one) => timingSafeEqual(one.token, shown));
    return offer?.left.delete(digest) === true ? (this.#options.files.get(digest) ?? null) : null;
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
