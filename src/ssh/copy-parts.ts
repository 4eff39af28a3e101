import type { Part } from "#host/distribution.ts";
import { DroverError } from "#model/errors.ts";
import { leastNearBytes, type Neighbour, type NeighbourQuestion } from "#model/programs.ts";
import { siteOf } from "#model/site.ts";
import type { Host } from "./host.ts";
import type { SiteTurns } from "./site-turns.ts";

export interface CopyOptions {
  readonly host: Pick<Host, "address" | "fetch" | "receive">;
  /** What it is to be called: it is not asked to give itself anything. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Bytes there are of a part whose copy was cut off, by its digest. */
  readonly partly: ReadonlyMap<string, number>;
  readonly turns: SiteTurns;
  /** As the API's `findProgramsNeighbour`. */
  readonly neighbour: (question: NeighbourQuestion, signal: AbortSignal) => Promise<Neighbour | null>;
  readonly stage: (text: string, share?: string) => void;
  readonly log: (line: string) => void;
}

/** Where the bytes came from. */
export interface Copied {
  /** From here. */
  readonly sentBytes: number;
  /** From machines of the same site. */
  readonly nearBytes: number;
}

export const nothingCopied: Copied = { sentBytes: 0, nearBytes: 0 };

/**
 * Brings a host the parts that it lacks: large ones from a machine of the same site that has them, if there is one that gives them, and the rest from here.
 * No neighbour, whatever it does, keeps a host from getting them; the log says why one was of no use.
 * @returns also the turn of its site, which others wait for until it is disposed of: when this host gives parts itself, or never will
 * @throws {DroverError} what sending them throws
 */
export async function copyParts(
  parts: readonly Part[],
  options: CopyOptions,
  signal: AbortSignal,
): Promise<Copied & { readonly turn: Disposable | null }> {
  const { host, name, labels, partly, turns, stage, log } = options;
  const restOf = ({ digest, sizeBytes }: Part) => sizeBytes - (partly.get(digest) ?? 0);
  const site = siteOf(host.address, labels);
  const large = site === null ? [] : parts.filter((part) => restOf(part) >= leastNearBytes);
  const fetched = new Set<Part>();
  const except = [name];
  await fetchNear(large, fetched, except, options, signal);
  if (site !== null && fetched.size < large.length) stage(`copying, or waiting for another host in ${site}`);
  const turn = site === null || fetched.size === large.length ? null : await turns.take(site, signal);
  try {
    if (turn?.hasWaited === true)
      await fetchNear(
        large.filter((part) => !fetched.has(part)),
        fetched,
        except,
        options,
        signal,
      );
    let sentBytes = 0;
    for (const part of parts.filter((one) => !fetched.has(one))) {
      const show = (bytes: number) => {
        turn?.moved();
        stage("copying", `${mebibytes(bytes)} of ${mebibytes(part.sizeBytes)} MiB`);
      };
      await host.receive(part, partly.get(part.digest) ?? 0, show, signal);
      sentBytes += restOf(part);
    }
    const nearBytes = [...fetched].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    log(`copied: ${sentBytes} bytes from here, ${nearBytes} from machines beside it`);
    return { sentBytes, nearBytes, turn };
  } catch (error) {
    turn?.[Symbol.dispose]();
    throw error;
  }
}

/**
 * Asks one neighbour: where that is of no use, the next one behind the same firewall is not either.
 * @param fetched those that are there by now; the rest is to be had elsewhere
 * @param except machines that are not to be asked any more
 */
async function fetchNear(
  parts: readonly Part[],
  fetched: Set<Part>,
  except: string[],
  options: CopyOptions,
  signal: AbortSignal,
): Promise<void> {
  const { host, labels, neighbour, stage, log } = options;
  if (parts.length === 0) return;
  try {
    const near = await neighbour({ address: host.address, labels, parts: parts.map(({ digest }) => digest), except }, signal);
    if (near === null) return log("no machine beside it has what it lacks");
    log(`${near.machine} is beside it, and gives ${near.parts.length} of ${parts.length} parts`);
    except.push(near.machine);
    stage(`copying from ${near.machine}`);
    for (const part of parts.filter(({ digest }) => near.parts.includes(digest))) {
      await host.fetch(part, near, signal);
      fetched.add(part);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof DroverError)) throw error;
    log(`what is beside it was of no use: ${error.message}`);
  }
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
