import tls from "node:tls";
import type { AcmeChallenge, CertificateChange, EdgeCertificate } from "#model/certificates.ts";
import { HostMap } from "./host-map.ts";

/**
 * Mozilla's "intermediate" (server side TLS 5.7): TLS 1.2 with forward secrecy and authenticated encryption alone, and TLS 1.3.
 * Every client since 2014 has one of these; without DHE, whose parameters cost much and which none of them needs.
 */
export const protocolOptions: tls.SecureContextOptions = {
  minVersion: "TLSv1.2",
  ciphers: [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
  ].join(":"),
  ecdhCurve: "X25519MLKEM768:X25519:prime256v1:secp384r1",
};

/** A certificate as handshakes use it. */
export class LiveCertificate {
  readonly certificate: EdgeCertificate;
  readonly #contexts = new Map<string, tls.SecureContext>();

  constructor(certificate: EdgeCertificate) {
    this.certificate = certificate;
  }

  /**
   * Made when it is first asked for: an edge with ten thousand certificates starts at once.
   * @param session tells apart who may resume sessions of whom; @param clients the authorities whose clients are asked for a certificate
   */
  context(session: string, clients: { readonly caPem: string; readonly crlPem?: string } | null): tls.SecureContext {
    let context = this.#contexts.get(session);
    if (context === undefined) {
      context = tls.createSecureContext({
        ...protocolOptions,
        cert: this.certificate.chain,
        key: this.certificate.key,
        sessionIdContext: session,
        ...(clients === null ? {} : { ca: clients.caPem }),
        ...(clients?.crlPem === undefined ? {} : { crl: clients.crlPem }),
      });
      this.#contexts.set(session, context);
    }
    return context;
  }
}

/** Certificates by the names that they are for, and what authorities are to be shown. */
export class CertificateIndex {
  readonly #byId = new Map<string, LiveCertificate>();
  readonly #byHost = new HostMap<LiveCertificate>();
  #httpChallenges: ReadonlyMap<string, string> | null = null;
  #tlsChallenges: ReadonlyMap<string, AcmeChallenge & { readonly kind: "tls-alpn-01" }> = new Map();

  apply({ set, remove, challenges }: Omit<CertificateChange, "ticketKeys">): void {
    for (const id of [...remove, ...set.map((certificate) => certificate.id)]) {
      const before = this.#byId.get(id);
      this.#byId.delete(id);
      for (const host of before?.certificate.hosts ?? []) if (this.#byHost.get(host) === before) this.#byHost.delete(host);
    }
    for (const certificate of set) {
      const live = new LiveCertificate(certificate);
      this.#byId.set(certificate.id, live);
      for (const host of certificate.hosts) this.#byHost.set(host, live);
    }
    if (challenges === undefined) return;
    const http = challenges.flatMap((one) => (one.kind === "http-01" ? [[one.token, one.content] as const] : []));
    this.#httpChallenges = http.length === 0 ? null : new Map(http);
    this.#tlsChallenges = new Map(challenges.flatMap((one) => (one.kind === "tls-alpn-01" ? [[one.host, one] as const] : [])));
  }

  find(host: string): LiveCertificate | null {
    return this.#byHost.get(host) ?? null;
  }

  /** Contents by token; null while there are none. */
  get httpChallenges(): ReadonlyMap<string, string> | null {
    return this.#httpChallenges;
  }

  get hasTlsChallenges(): boolean {
    return this.#tlsChallenges.size > 0;
  }

  tlsChallenge(host: string): tls.SecureContext | null {
    const challenge = this.#tlsChallenges.get(host);
    return challenge === undefined ? null : tls.createSecureContext({ ...protocolOptions, cert: challenge.chain, key: challenge.key });
  }
}
