import type { ErrorBody } from "./errors.ts";

/**
 * Drover's own programs, as they are installed on a machine: parts (packed archives, named by the SHA-256 of their bytes in hex) make a version, which is
 * named by its parts. docs/decisions/0034-upgrades.md has the reasons.
 */

/** A version to go over to. */
export interface ProgramsOrder {
  /** What the parts make together; see `host/programs-id.ts`. */
  readonly id: string;
  /** Digests, in hex. */
  readonly parts: readonly string[];
}

/** What a machine runs of Drover, and could run. */
export interface ProgramsState {
  /** Of the version that runs; null: it was installed by hand. */
  readonly id: string | null;
  /** What it calls itself, such as `0.1.0`. */
  readonly release: string;
  /** As `uname -m` calls it. */
  readonly architecture: string;
  /** What it can go back to; null: nothing. */
  readonly before: { readonly id: string | null } | null;
  /** It has gone over to this version, and nobody has said yet that it may stay: unless somebody does, the machine goes back by itself. */
  readonly isOnTrial: boolean;
  /** The last version that it left by itself, and why; null: none since it went over to what runs. */
  readonly refused: { readonly id: string | null; readonly why: string } | null;
  /** Digests of parts that are there. */
  readonly parts: readonly string[];
}

/** What an upgrade of one machine is at; `started` or `failed` is the last. */
export type ProgramsProgress =
  | { readonly kind: "copying"; readonly part: number; readonly of: number }
  | { readonly kind: "starting" }
  | { readonly kind: "started" }
  | { readonly kind: "failed"; readonly error: ErrorBody };

/** A version of Drover takes some 60 MB; one that is larger than this is none. */
export const mostPartBytes = 256 * 2 ** 20;
export const mostParts = 16;
export const partPattern = /^[0-9a-f]{64}$/;

/** Where a machine gives away parts of its own Drover for a while, to whoever shows the token, each of them once. */
export interface PartsOffer {
  readonly port: number;
  readonly token: string;
  /** Digests of those that were asked for and that it has. */
  readonly parts: readonly string[];
}

/** A machine that stands where another one does, and gives it parts. */
export interface Neighbour extends PartsOffer {
  readonly machine: string;
  readonly host: string;
}

/** Whom to find a neighbour for. */
export interface NeighbourQuestion {
  /** Where others reach it; null: not known. */
  readonly address: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Digests of what is to be had. */
  readonly parts: readonly string[];
  /** Machines that are not to be asked: itself, and those that have given nothing. */
  readonly except: readonly string[];
}

/** Smaller parts are not worth asking a neighbour for: it takes seconds to pack its own. */
export const leastNearBytes = 2 ** 20;
/** A neighbour that does not take a connection within this is behind a firewall, or is somebody else. */
export const nearConnectMs = 5_000;
/** A neighbour that gives less a second is no better than whoever is asked instead. */
const leastNearRate = 2 * 2 ** 20;

/** How long a neighbour may take to give a part. */
export function nearGiveMs(sizeBytes: number): number {
  return nearConnectMs + Math.ceil(sizeBytes / leastNearRate) * 1_000;
}

/** What whoever fetches a part says first; the bytes of the part are the answer, and nothing is the refusal. */
export function partRequest(token: string, digest: string): string {
  return `drover-part ${token} ${digest}\n`;
}
