import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { isRecord, parseJson } from "#model/shape.ts";
import { judge, type PostAnswer, Poster, type PostOptions } from "./post.ts";
import { failed, type Outcome, oneLine, type Receiver, type Refusal } from "./receiver.ts";
import type { ShippedEvent } from "./shipped-event.ts";

const compress = promisify(gzip);

/** Only what is judged: the answer to a thousand events is some kilobytes then. */
const answered = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
/** An event with this id is there already: it was taken before, and its answer was lost. */
const alreadyThere = 409;

/**
 * Elasticsearch, or what takes its `_bulk` requests: `create` alone, which data streams ask for and which takes no event twice. Where to is said with
 * each event, because some that take such requests have one address for all.
 * @param stream data stream or index
 */
export function elasticsearchReceiver(
  options: PostOptions & { readonly stream: string },
  headers: () => Readonly<Record<string, string>>,
): Receiver {
  const url = new URL(options.url);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/_bulk`;
  // VictoriaLogs is told by parameters which fields are what.
  url.search = [url.search.slice(1), answered].filter((part) => part !== "").join("&");
  const poster = new Poster({ ...options, url });
  return {
    send: async (events, signal) => {
      const text = events
        .map((event) => `${JSON.stringify({ create: { _index: options.stream, _id: event.id } })}\n${JSON.stringify(documentOf(event))}\n`)
        .join("");
      const answer = await poster.post(
        await compress(text),
        { ...headers(), "content-type": "application/x-ndjson", "content-encoding": "gzip" },
        signal,
      );
      const outcome = judge(answer);
      return outcome.kind === "taken" ? judgeItems(events, answer) : outcome;
    },
    close: () => poster.close(),
  };
}

/** Each event has an answer of its own, and any of them may say that the receiver has too much to do. */
function judgeItems(events: readonly ShippedEvent[], { body, retryAfterMs }: PostAnswer): Outcome {
  const answer = parseJson(body);
  if (!isRecord(answer) || typeof answer["errors"] !== "boolean") return failed("answered what is no answer to a bulk request");
  if (!answer["errors"]) return { kind: "taken", refused: [] };
  const items = Array.isArray(answer["items"]) ? answer["items"] : [];
  if (items.length !== events.length) return failed(`answered for ${items.length} of ${events.length} events`);
  const refused: Refusal[] = [];
  for (const [at, event] of events.entries()) {
    const item: unknown = items[at];
    const { status, error } = (isRecord(item) && isRecord(item["create"]) ? item["create"] : {}) as { status?: unknown; error?: unknown };
    if (typeof status !== "number") return failed("answered what is no answer to a bulk request");
    if (status < 300 || status === alreadyThere) continue;
    const said = isRecord(error) ? `${String(error["type"])}: ${String(error["reason"])}` : "without a reason";
    const why = `answered ${status} to an event: ${oneLine(said)}`;
    // All are sent again; those that were taken are known by their ids.
    if (status === 429 || status >= 500 || status === 401 || status === 403 || status === 404) return failed(why, retryAfterMs);
    refused.push({ event, why });
  }
  return { kind: "taken", refused };
}

/** Fields as the Elastic Common Schema names them; the app's own are labels, whose types do not depend on what another app calls the same. */
function documentOf(event: ShippedEvent): Readonly<Record<string, unknown>> {
  const labels: Record<string, string> = {};
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(event.fields)) {
    const flat = name.replaceAll(".", "_");
    if (typeof value === "number") numbers[flat] = value;
    else if (value !== null) labels[flat] = String(value);
  }
  return {
    "@timestamp": new Date(event.statedAtMs ?? event.atMs).toISOString(),
    message: event.text,
    event: { id: event.id, created: new Date(event.atMs).toISOString(), sequence: event.sequence, dataset: event.source },
    ...(event.level === null ? {} : { log: { level: event.level } }),
    service: {
      name: event.app,
      namespace: event.space,
      ...(event.release === null ? {} : { version: event.release }),
      node: { name: event.instance, ...(event.process === null ? {} : { role: event.process }) },
    },
    host: { name: event.machine },
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(numbers).length === 0 ? {} : { numeric_labels: numbers }),
  };
}
