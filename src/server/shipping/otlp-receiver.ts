import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { LogFieldValue } from "#model/log-fields.ts";
import type { EventLevel } from "#model/log-level.ts";
import { isRecord, parseJson } from "#model/shape.ts";
import { judge, Poster, type PostOptions } from "./post.ts";
import { oneLine, type Receiver, type Refusal } from "./receiver.ts";
import type { ShippedEvent } from "./shipped-event.ts";

const compress = promisify(gzip);

/** SeverityNumber of the log data model: the first of the four that each level has. */
const severities: Readonly<Record<EventLevel, number>> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 };

/** A receiver of OTLP over HTTP: JSON, which every receiver of OTLP/HTTP has to take (OTLP 1.x, "JSON Protobuf Encoding"). */
export function otlpReceiver(options: PostOptions, headers: () => Readonly<Record<string, string>>): Receiver {
  const url = new URL(options.url);
  if (url.pathname === "/") url.pathname = "/v1/logs";
  const poster = new Poster({ ...options, url });
  return {
    send: async (events, signal) => {
      const body = await compress(JSON.stringify(exportRequest(events)));
      const answer = await poster.post(body, { ...headers(), "content-type": "application/json", "content-encoding": "gzip" }, signal);
      const outcome = judge(answer);
      return outcome.kind === "taken" ? { kind: "taken", refused: refusedOf(events, answer.body) } : outcome;
    },
    close: () => poster.close(),
  };
}

/** A partial success says how many were refused and not which: the protocol forbids to send any of them again. */
function refusedOf(events: readonly ShippedEvent[], body: string): readonly Refusal[] {
  const answer = parseJson(body);
  const partial = isRecord(answer) ? answer["partialSuccess"] : null;
  if (!isRecord(partial)) return [];
  // 64-bit numbers are text in this encoding.
  const count = Number(partial["rejectedLogRecords"] ?? 0);
  const why = `refused some events: ${oneLine(String(partial["errorMessage"] ?? "without a reason"))}`;
  return count > 0 ? events.slice(0, count).map((event) => ({ event, why })) : [];
}

/** ExportLogsServiceRequest: one resource for each instance, after the semantic conventions of OpenTelemetry. */
export function exportRequest(events: readonly ShippedEvent[]) {
  const byInstance = Map.groupBy(events, ({ machine, space, app, instance }) => `${machine}/${space}/${app}/${instance}`);
  return {
    resourceLogs: [...byInstance.values()].map((of) => ({
      resource: { attributes: of[0] === undefined ? [] : resourceOf(of[0]) },
      scopeLogs: [{ scope: { name: "drover" }, logRecords: of.map(recordOf) }],
    })),
  };
}

function resourceOf({ space, app, process, release, instance, machine }: ShippedEvent) {
  return attributes({
    "service.name": app,
    "service.namespace": space,
    "service.version": release,
    "service.instance.id": `${space}/${app}/${instance}`,
    "host.name": machine,
    "drover.process": process,
  });
}

function recordOf({ id, atMs, statedAtMs, level, source, text, fields }: ShippedEvent) {
  return {
    timeUnixNano: nanoseconds(statedAtMs ?? atMs),
    observedTimeUnixNano: nanoseconds(atMs),
    ...(level === null ? {} : { severityNumber: severities[level], severityText: level.toUpperCase() }),
    body: { stringValue: text.toWellFormed() },
    attributes: attributes({ "log.record.uid": id, ...(source === "app" ? {} : { "drover.source": source }), ...fields }),
  };
}

/** Milliseconds may have a fraction, and no number holds nanoseconds since 1970. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms)}000000`;
}

function attributes(of: Readonly<Record<string, LogFieldValue>>) {
  return Object.entries(of).flatMap(([key, value]) => (value === null ? [] : [{ key: key.toWellFormed(), value: anyValue(value) }]));
}

function anyValue(value: Exclude<LogFieldValue, null>) {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return { doubleValue: value };
  return { stringValue: value.toWellFormed() };
}
