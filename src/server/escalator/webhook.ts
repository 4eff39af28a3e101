import { createHmac } from "node:crypto";
import type { RequestOptions } from "node:http";
import { onUpgrade } from "#host/on-upgrade.ts";
import type { ResolveOutgoing } from "#host/outgoing.ts";
import type { Clock } from "#model/clock.ts";
import { attemptWithin } from "./attempt.ts";

/** A receiver that is up takes a short message at once; one that is not must not be waited for. */
const deadlineMs = 10_000;

/** One message as it is sent. */
export interface Message {
  /** The same at every try, so that the receiver can tell a repetition. */
  readonly id: string;
  readonly body: string;
}

/**
 * Sends one message, once. Signed after Standard Webhooks (standardwebhooks.com, 1.0.0) when there is a secret. Redirects are not followed, because
 * where they lead to was not judged. The answer's body is not read.
 * @returns null when it was taken, else why not, in words
 */
export function sendWebhook(
  {
    url,
    message,
    secret,
    resolve,
    clock,
  }: {
    readonly url: string;
    readonly message: Message;
    /** Raw key of the signature; null: unsigned. */
    readonly secret: Uint8Array | null;
    readonly resolve: ResolveOutgoing;
    readonly clock: Clock;
  },
  parent: AbortSignal,
): Promise<string | null> {
  return attemptWithin(deadlineMs, (signal) => send(url, message, secret, resolve, clock, signal), clock, parent);
}

async function send(
  text: string,
  { id, body }: Message,
  secret: Uint8Array | null,
  resolve: ResolveOutgoing,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | null> {
  const url = new URL(text);
  const isTls = url.protocol === "https:";
  const { address, family } = await resolve(url.hostname);
  signal.throwIfAborted();
  const { default: http } = isTls ? await import("node:https") : await import("node:http");
  const timestamp = String(Math.floor(clock.nowMs() / 1_000));
  const options: RequestOptions = {
    host: address,
    family,
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method: "POST",
    headers: {
      host: url.host,
      "user-agent": "drover-webhook",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      ...(secret === null ? {} : { "webhook-signature": signatureOf(secret, id, timestamp, body) }),
    },
    agent: false,
    signal,
    ...(isTls ? { servername: url.hostname } : {}),
  };
  return new Promise((taken, failed) => {
    const request = http.request(options, (response) => {
      const { statusCode = 0 } = response;
      request.destroy();
      if (statusCode >= 200 && statusCode < 300) taken(null);
      else taken(`answered ${statusCode}${statusCode >= 300 && statusCode < 400 ? ", and redirects are not followed" : ""}`);
    });
    onUpgrade(request, ({ statusCode = 0 }) => taken(`answered ${statusCode}`));
    request.on("error", failed);
    request.end(body);
  });
}

function signatureOf(secret: Uint8Array, id: string, timestamp: string, body: string): string {
  return `v1,${createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

/** The key of a secret as Standard Webhooks write it (`whsec_` and base64), or as any text. */
export function webhookKey(secret: string): Uint8Array {
  return secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret, "utf8");
}

/** A template's `{{name}}` filled in. What is put in stands inside of a JSON text, so it is escaped as one. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{\{\s*([a-z]+)\s*\}\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : JSON.stringify(value).slice(1, -1);
  });
}
