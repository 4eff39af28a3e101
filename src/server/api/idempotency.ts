import { createHash } from "node:crypto";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Principal } from "../access/access-rule.ts";
import { put, remove } from "../objects/objects.ts";
import type { Receipt } from "../operations/receipt.ts";
import type { Entry, Store } from "../store/store.ts";
import type { Asked } from "./asked.ts";
import type { Route } from "./route.ts";

/** How long an answer is repeated: longer than any client retries. */
const keptMs = 24 * 3_600_000;
/** Most answers kept; the oldest go first, so that keys cannot fill the store. */
const maxKept = 10_000;
/** Most deletions in one commit of the sweep. */
const sweepBatch = 500;
const prefix = "/idempotency/";

interface Kept {
  readonly request: string;
  readonly atMs: number;
  readonly answer: unknown;
}

/** One request under its key: either repeated, or to be kept. */
export interface KeyedRequest extends Receipt {
  /** The answer that this key got before. */
  readonly repeated: { readonly json: unknown } | null;
  /** The request is over: the key may be used again. */
  end(): void;
}

export interface IdempotencyKeys {
  /**
   * Null without a key. @throws {DroverError} IDEMPOTENCY_KEY_REUSED for another request under the same key; CONFLICT while the first is
   * under way; REQUEST_INVALID for a key that is none, or where the answer is a stream, which cannot be kept.
   */
  begin(key: unknown, route: Route, request: Asked, principal: Principal | null, body: unknown): KeyedRequest | null;
  /** Forgets what is too old or too much. */
  sweep(): Promise<void>;
}

/** Answers of requests with an `Idempotency-Key`, kept in the same commit as what the request does: done twice is done once. */
export function createIdempotencyKeys(store: Store, clock: Clock): IdempotencyKeys {
  const underWay = new Set<string>();
  return {
    begin: (key, route, request, principal, body) => {
      if (key === undefined || route.method === "GET") return null;
      if (typeof key !== "string" || !/^[\x21-\x7e]{1,200}$/.test(key) || route.answer.kind !== "json") {
        throw new DroverError(
          "REQUEST_INVALID",
          route.answer.kind === "json" ? "the idempotency key is not usable" : "this route takes no idempotency key",
          {
            hint: "A key is 1 to 200 printable ASCII characters; routes that answer with a stream, or with nothing, need none.",
          },
        );
      }
      const storeKey = prefix + hash(`${principal?.id ?? ""}\n${key}`);
      const digest = hash(`${request.method} ${request.url}\n${request.headers["if-match"] ?? ""}\n${JSON.stringify(body)}`);
      const entry = store.get(storeKey);
      const kept = entry === null ? null : parse(entry);
      if (kept !== null && kept.request !== digest) {
        throw new DroverError("IDEMPOTENCY_KEY_REUSED", "the idempotency key was used for another request", {
          hint: "Use a new key for a new request.",
        });
      }
      if (underWay.has(storeKey)) {
        throw new DroverError("CONFLICT", "a request with this idempotency key is under way", {
          hint: "Wait for its answer, or repeat this in a moment.",
        });
      }
      underWay.add(storeKey);
      return {
        repeated: kept === null || entry === null ? null : { json: withRevision(kept.answer, entry) },
        keep: (answer) => ({
          condition: { key: storeKey, modRevision: 0 },
          change: put(storeKey, { request: digest, atMs: clock.nowMs(), answer } satisfies Kept),
        }),
        end: () => underWay.delete(storeKey),
      };
    },
    sweep: async () => {
      const entries = store.list(prefix).map((entry) => ({ entry, atMs: parse(entry).atMs }));
      entries.sort((a, b) => b.atMs - a.atMs);
      const oldest = clock.nowMs() - keptMs;
      const gone = entries.filter(({ atMs }, i) => i >= maxKept || atMs < oldest);
      for (let from = 0; from < gone.length; from += sweepBatch) {
        await store.commit({ changes: gone.slice(from, from + sweepBatch).map(({ entry }) => remove(entry.key)) });
      }
    },
  };
}

/** The answer was kept before its commit had a revision; the record itself has it. */
function withRevision(answer: unknown, entry: Entry): unknown {
  return typeof answer === "object" && answer !== null ? { ...answer, revision: entry.modRevision } : answer;
}

function parse(entry: Entry): Kept {
  return JSON.parse(Buffer.from(entry.value).toString("utf8")) as Kept;
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
