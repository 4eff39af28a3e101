import { z } from "zod";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import { keys } from "../../objects/objects.ts";
import { requireSpace } from "../../operations/space-operations.ts";
import type { Change, Condition, Entry, Store, WatchBatch } from "../../store/store.ts";
import { requireRevision } from "../etag.ts";
import { flag, wholeNumber } from "../query.ts";
import { quote } from "../request-check.ts";
import { type Call, jsonBodyBytes, type Route, route, type SentEvent } from "../route.ts";
import type { Services } from "../services.ts";
import { sequenceOf } from "./events.ts";

/** Longest key in bytes: what the store takes, less the longest prefix of a space. */
const maxKeyBytes = 900;
const maxPage = 1_000;

const pair = z
  .object({
    key: z.string(),
    createRevision: z.int(),
    revision: z.int(),
    version: z.int().meta({ description: "Number of writes since it was made." }),
    sizeBytes: z.int(),
    value: z.base64().optional().meta({ description: "Only where values were asked for." }),
  })
  .meta({ id: "KeyValue" });

const change = z
  .object({ revision: z.int(), changes: z.array(z.object({ kind: z.enum(["put", "delete"]), key: z.string() }).loose()) })
  .meta({ id: "KeyValueChanges", description: "All changes of one revision; `put` has the pair with its value." });

const written = z.object({ key: z.string(), revision: z.int() }).meta({ id: "KeyWritten" });
const prefixQuery = z.string().max(maxKeyBytes).default("").meta({ description: "Only keys that start with this." });

/** A space's own key-value store: raw bytes under free keys. */
export function kvRoutes(services: Services): readonly Route[] {
  const { store } = services;
  return [
    route({
      method: "GET",
      path: "/v1/spaces/:space/kv",
      id: "listKeys",
      summary: "Keys by prefix, in byte order, page by page.",
      access: { right: "read", of: "space" },
      query: z.strictObject({
        prefix: prefixQuery,
        after: z.string().max(maxKeyBytes).optional().meta({ description: "The last key of the page before." }),
        limit: wholeNumber(maxPage).default(100),
        values: flag.default(false),
      }),
      answer: { kind: "json", schema: z.object({ keys: z.array(pair), revision: z.int(), more: z.boolean() }) },
      handle: async (call, { prefix, after, limit, values }) => {
        const space = spaceOf(services, call);
        const page = { limit: limit + 1, ...(after === undefined ? {} : { after: keys.kv(space, after) }) };
        const entries = store.list(keys.kv(space, prefix), page);
        const shown = entries.slice(0, limit).map((entry) => viewPair(entry, space, values));
        return { json: { keys: shown, revision: store.revision, more: entries.length > limit } };
      },
    }),
    route({
      method: "GET",
      path: "/v1/spaces/:space/watch",
      id: "watchKeys",
      summary:
        "Changes of keys by prefix, each revision as one event `change` (`bookmark`: no change, only a newer place to resume from), from after a revision or the `Last-Event-ID`, without gaps.",
      access: { right: "read", of: "space" },
      query: z.strictObject({ prefix: prefixQuery, after: wholeNumber(Number.MAX_SAFE_INTEGER).optional() }),
      answer: { kind: "events", schema: change },
      handle: async (call, { prefix, after }) => {
        const space = spaceOf(services, call);
        const from = call.lastEventId === null ? (after ?? store.revision) : sequenceOf(call.lastEventId);
        return { events: watchEvents(store, space, prefix, from, call.signal) };
      },
    }),
    route({
      method: "GET",
      path: "/v1/spaces/:space/kv/*",
      id: "getKey",
      summary: "One value, as raw bytes, with its revision as ETag.",
      access: { right: "read", of: "space" },
      answer: { kind: "bytes" },
      handle: async (call) => {
        const { space, key } = keyOf(services, call);
        const entry = store.get(keys.kv(space, key));
        if (entry === null) throw noSuchKey(key, space);
        return { bytes: entry.value, etag: entry.modRevision };
      },
    }),
    route({
      method: "PUT",
      path: "/v1/spaces/:space/kv/*",
      id: "putKey",
      summary: "Writes one value, as raw bytes of any type; durable before the answer.",
      access: { right: "deploy", of: "space" },
      body: { kind: "bytes", maxBytes: jsonBodyBytes },
      answer: { kind: "json", schema: written, hasEtag: true },
      handle: async (call, _query, value) => {
        const { space, key } = keyOf(services, call);
        const storeKey = keys.kv(space, key);
        return writeKey(store, call, key, { kind: "put", key: storeKey, value });
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/spaces/:space/kv/*",
      id: "deleteKey",
      summary: "Deletes one key.",
      access: { right: "deploy", of: "space" },
      answer: { kind: "json", schema: written },
      handle: async (call) => {
        const { space, key } = keyOf(services, call);
        const storeKey = keys.kv(space, key);
        if (store.get(storeKey) === null) throw noSuchKey(key, space);
        return writeKey(store, call, key, { kind: "delete", key: storeKey });
      },
    }),
  ];
}

/** One write with the caller's condition checked at the commit itself, not before it. */
async function writeKey(store: Store, { precondition, receipt }: Call, key: string, change: Change) {
  const conditions: Condition[] = precondition === null ? [] : [{ key: change.key, modRevision: precondition }];
  const kept = receipt?.keep({ key });
  try {
    const { revision } = await store.commit({
      conditions: kept === undefined ? conditions : [...conditions, kept.condition],
      changes: kept === undefined ? [change] : [change, kept.change],
    });
    return { json: { key, revision }, ...(change.kind === "put" ? { etag: revision } : {}) };
  } catch (error) {
    if (precondition !== null && error instanceof DroverError && error.code === "CONFLICT") {
      requireRevision(`key ${quote(key)}`, precondition, store.get(change.key)?.modRevision ?? 0);
    }
    throw error;
  }
}

function spaceOf(services: Services, { params }: Call): SpaceName {
  return requireSpace(services, params["space"] as SpaceName).value.name;
}

function keyOf(services: Services, call: Call): { readonly space: SpaceName; readonly key: string } {
  const key = call.params["*"] ?? "";
  if (key === "" || Buffer.byteLength(key) > maxKeyBytes || !key.isWellFormed() || key.includes("\0")) {
    throw new DroverError("REQUEST_INVALID", `${quote(key)} is not a key`, {
      hint: `A key is 1 to ${maxKeyBytes} bytes of text without NUL characters.`,
    });
  }
  return { space: spaceOf(services, call), key };
}

function noSuchKey(key: string, space: SpaceName): DroverError {
  return new DroverError("KEY_NOT_FOUND", `space "${space}" has no key ${quote(key)}`, {
    hint: "List the keys with their prefix to see what there is.",
  });
}

function viewPair(entry: Entry, space: SpaceName, withValue: boolean) {
  return {
    key: entry.key.slice(keys.kv(space, "").length),
    createRevision: entry.createRevision,
    revision: entry.modRevision,
    version: entry.version,
    sizeBytes: entry.value.byteLength,
    ...(withValue ? { value: Buffer.from(entry.value.buffer, entry.value.byteOffset, entry.value.byteLength).toString("base64") } : {}),
  };
}

async function* watchEvents(store: Store, space: SpaceName, prefix: string, after: number, signal: AbortSignal): AsyncGenerator<SentEvent> {
  for await (const batch of store.watch(keys.kv(space, prefix), after, signal)) yield encode(batch, space);
}

/** A batch is encoded once for all of its watchers, who share it as the store hands it out. */
const encoded = new WeakMap<WatchBatch, SentEvent>();

function encode(batch: WatchBatch, space: SpaceName): SentEvent {
  const known = encoded.get(batch);
  if (known !== undefined) return known;
  const changes = batch.changes.map((one) =>
    one.kind === "put"
      ? { kind: one.kind, ...viewPair(one.entry, space, true) }
      : { kind: one.kind, key: one.key.slice(keys.kv(space, "").length), revision: one.modRevision },
  );
  // A batch without changes only says where the watch is, so that it can be resumed from there.
  const event: SentEvent = {
    event: changes.length === 0 ? "bookmark" : "change",
    id: batch.revision,
    json: JSON.stringify({ revision: batch.revision, changes }),
  };
  encoded.set(batch, event);
  return event;
}
