import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Destination } from "./destinations.ts";
import { elasticsearchReceiver } from "./elasticsearch-receiver.ts";
import { httpReceiver } from "./http-receiver.ts";
import { otlpReceiver } from "./otlp-receiver.ts";
import { failed, type Outcome, type Receiver } from "./receiver.ts";
import { syslogReceiver } from "./syslog-receiver.ts";

/** A shorter word of a header's value says how it is meant. */
const shortestPart = 8;

/** Of what is told of a failure. */
const longestWhy = 350;

export interface OpenReceiverOptions {
  readonly secrets: Pick<Secrets, "latest" | "reveal">;
  readonly resolve: ResolveOutgoing;
  readonly clock: Clock;
}

/** What sends to a destination, whatever its kind. What it says of a failure has no secret in it. */
export function openReceiver(destination: Destination, options: OpenReceiverOptions): Receiver {
  const { manifest } = destination;
  const receiver = receiverOf(destination, options);
  return {
    send: async (events, signal) => {
      try {
        return withoutSecrets(await receiver.send(events, signal), secretsOf(destination, options));
      } catch (error) {
        signal.throwIfAborted();
        // The system's words for a connection that failed, a certificate that is not trusted, an address that is refused, a secret that is not set.
        return failed(error instanceof Error ? reasonOf(error) : String(error));
      }
    },
    close: () => receiver.close(),
  };

  function receiverOf({ kind, to, space }: Destination, { resolve, clock }: OpenReceiverOptions): Receiver {
    const ca = manifest.ca ?? null;
    if (kind === "syslog") {
      const at = to.lastIndexOf(":");
      return syslogReceiver({ host: to.slice(0, at), port: Number(to.slice(at + 1)), isTls: manifest.tls !== "off", ca, resolve });
    }
    const post = { url: new URL(to), ca, resolve, clock };
    const headers = () => headersOf(destination, options);
    switch (kind) {
      case "http":
        return httpReceiver(post, headers);
      case "otlp":
        return otlpReceiver(post, headers);
      case "elasticsearch":
        return elasticsearchReceiver({ ...post, stream: manifest.stream ?? `logs-drover-${space}` }, headers);
      default:
        return kind satisfies never;
    }
  }
}

/** Several addresses that were tried are one error each. OpenSSL's words about what is no TLS at all help nobody. */
function reasonOf(error: Error): string {
  if (hasCode(error, "EPROTO") || hasCode(error, "ERR_SSL_WRONG_VERSION_NUMBER"))
    return "what answers there does not speak TLS as it should; is it the right port?";
  const [first] = error instanceof AggregateError ? error.errors : [];
  return error.message !== "" ? error.message : first instanceof Error ? first.message : error.name;
}

function headersOf(destination: Destination, options: OpenReceiverOptions): Readonly<Record<string, string>> {
  const { headers = {}, user, password } = destination.manifest;
  const given = Object.entries(headers).map(([header, secret]) => [header.toLowerCase(), secretOf(destination, secret, options)]);
  if (user === undefined || password === undefined) return Object.fromEntries(given);
  const login = Buffer.from(`${user}:${secretOf(destination, password, options)}`).toString("base64");
  return { ...Object.fromEntries(given), authorization: `Basic ${login}` };
}

/** The latest value, so that one that is changed is used from the next batch on. @throws {DroverError} SECRET_NOT_FOUND */
function secretOf({ space }: Destination, name: string, { secrets }: OpenReceiverOptions): string {
  const latest = secrets.latest(space, name);
  if (latest !== null) return secrets.reveal(space, name, latest.version).trim();
  throw new DroverError("SECRET_NOT_FOUND", `secret "${name}" of space "${space}" is not set`);
}

function secretsOf(destination: Destination, options: OpenReceiverOptions): readonly string[] {
  const { headers = {}, user, password } = destination.manifest;
  const values = [...Object.values(headers), ...(password === undefined ? [] : [password])].map((name) =>
    secretOf(destination, name, options),
  );
  const login = password === undefined ? [] : [Buffer.from(`${user}:${values.at(-1)}`).toString("base64")];
  // Of `Bearer …`, what follows is the secret.
  const parts = values.flatMap((value) => value.split(/\s+/)).filter((part) => part.length >= shortestPart);
  return [...values, ...login, ...parts].filter((value) => value !== "");
}

/** A receiver may say what it was sent. Cut only then, or the beginning of a secret would be left. */
function withoutSecrets(outcome: Outcome, secrets: readonly string[]): Outcome {
  const clean = (why: string) => secrets.reduce((text, secret) => text.replaceAll(secret, "******"), why).slice(0, longestWhy);
  if (outcome.kind !== "taken") return { ...outcome, why: clean(outcome.why) };
  return { ...outcome, refused: outcome.refused.map(({ event, why }) => ({ event, why: clean(why) })) };
}
