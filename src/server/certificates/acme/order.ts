import { createHash, createPrivateKey } from "node:crypto";
import { keyPem, makeCertificate, makeSigningRequest, newKey } from "#host/x509/make-certificate.ts";
import type { AcmeChallenge } from "#model/certificates.ts";
import type { Clock } from "#model/clock.ts";
import type { Sealer } from "../../secrets/sealer.ts";
import { type AcmeSettings, accountBound } from "../acme-settings.ts";
import type { Orderer } from "../orderer.ts";
import { AcmeClient, authorizationSchema, type Challenge, orderSchema } from "./client.ts";
import { AcmeProblem } from "./problem.ts";

/** The certificate that is shown to an authority is looked at once, within minutes. */
const challengeMs = 86_400_000;

/** Puts a record into the zone, or takes it out. */
export type DnsRecords = (verb: "set" | "unset", name: string, value: string, signal: AbortSignal) => Promise<void>;

/** Orders certificates at an authority (RFC 8555), each with a new P-256 key. */
export function createOrderer({
  sealer,
  clock,
  dns,
}: {
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly dns: DnsRecords;
}): Orderer {
  return {
    async order(host, settings, show, signal) {
      const key = createPrivateKey(sealer.open(settings.accountKey, accountBound(settings.directory)));
      const client = await AcmeClient.open(settings.directory, settings.email, { key, ca: settings.caPem, clock, signal });
      const order = await client.newOrder(host);
      for (const url of order.authorizations) await authorize(client, url, settings, show, signal);
      const ready = await client.poll(order.url, orderSchema, ({ status }) => status !== "pending");
      if (ready.status === "invalid") throw refused(ready.error);
      const certificateKey = await newKey();
      if (ready.status === "ready") await client.finalize(order, makeSigningRequest(certificateKey, [host]));
      const done = await client.poll(order.url, orderSchema, ({ status }) => status === "valid" || status === "invalid");
      if (done.certificate === undefined) throw refused(done.error);
      return { key: keyPem(certificateKey), cert: await client.download(done.certificate) };
    },
  };

  async function authorize(
    client: AcmeClient,
    url: string,
    settings: AcmeSettings,
    show: (challenge: AcmeChallenge) => Promise<() => Promise<void>>,
    signal: AbortSignal,
  ): Promise<void> {
    const authorization = await client.read(url, authorizationSchema);
    if (authorization.status === "valid") return;
    const challenge = client.challengeOf(authorization, settings.challenge);
    if (challenge === null)
      throw new AcmeProblem(
        "unsupportedChallenge",
        `the authority does not offer ${settings.challenge} for ${authorization.identifier.value}`,
        200,
        null,
      );
    const takeAway = await place(client, challenge, authorization.identifier.value, show, signal);
    try {
      await client.ready(challenge);
      const done = await client.poll(url, authorizationSchema, ({ status }) => status !== "pending");
      if (done.status !== "valid") throw refused(client.challengeOf(done, settings.challenge)?.error);
    } finally {
      await takeAway();
    }
  }

  async function place(
    client: AcmeClient,
    { type, token }: Challenge,
    host: string,
    show: (challenge: AcmeChallenge) => Promise<() => Promise<void>>,
    signal: AbortSignal,
  ): Promise<() => Promise<void>> {
    const content = client.keyAuthorization(token);
    const digest = createHash("sha256").update(content).digest();
    if (type === "http-01") return show({ kind: "http-01", host, token, content });
    if (type === "dns-01") {
      const [name, value] = [`_acme-challenge.${host}`, digest.toString("base64url")];
      await dns("set", name, value, signal);
      return () => dns("unset", name, value, signal);
    }
    const key = await newKey();
    const nowMs = clock.nowMs();
    const life = { notBeforeMs: nowMs - challengeMs, notAfterMs: nowMs + challengeMs };
    const chain = makeCertificate({ name: "", key, ...life, use: { kind: "challenge", host, digest } });
    return show({ kind: "tls-alpn-01", host, chain, key: keyPem(key) });
  }
}

function refused(error: { readonly type: string; readonly detail: string } | undefined): AcmeProblem {
  const type = (error?.type ?? "invalid").replace(/^urn:ietf:params:acme:error:/, "");
  return new AcmeProblem(type, error?.detail ?? "the authority did not say why", 200, null);
}
