import type { Listener, RoutePolicy } from "#model/routing-table.ts";

/** What is known of the certificate that a host is shown. */
export interface ShownCertificate {
  readonly id: string;
  /** Whether browsers trust it. */
  readonly isTrusted: boolean;
}

export type CertificateOf = (host: string) => ShownCertificate | null;

/** As the edge decides it: what the route says, else whether browsers trust the host's certificate. Null where TLS is not the edge's affair. */
export function tlsModeOf(
  listener: Listener,
  policy: RoutePolicy | undefined,
  certificate: ShownCertificate | null,
): "off" | "both" | "redirect" | "passthrough" | null {
  if (listener.kind === "passthrough") return "passthrough";
  if (listener.kind !== "public") return null;
  if (policy?.tls?.client !== undefined) return "redirect";
  return policy?.tls?.mode ?? (certificate?.isTrusted === true ? "redirect" : "both");
}

/** URLs of routes at the edge's public addresses. */
export class RouteAddresses {
  readonly #edge: URL;
  readonly #edgeTls: URL;
  readonly #certificateOf: CertificateOf;

  /** @param edgeUrl @param edgeTlsUrl give scheme and port. */
  constructor(edgeUrl: string, edgeTlsUrl: string, certificateOf: CertificateOf) {
    this.#edge = new URL(edgeUrl);
    this.#edgeTls = new URL(edgeTlsUrl);
    this.#certificateOf = certificateOf;
  }

  /** Begins with `https://` where plain HTTP leads nowhere, or only on to HTTPS. Null where there is none that anyone could open. */
  urlOf(listener: Listener, policy: RoutePolicy | undefined): string | null {
    switch (listener.kind) {
      case "port":
        return `${listener.protocol}://${this.#edge.hostname}:${listener.port}`;
      case "service":
        return `${listener.protocol}://127.0.0.1:${listener.port}`;
      case "name":
        return null;
      case "passthrough":
      case "public": {
        const { host } = listener;
        if (host.startsWith("*")) return null;
        const mode = tlsModeOf(listener, policy, this.#certificateOf(host));
        const url = new URL(mode === "redirect" || mode === "passthrough" ? this.#edgeTls : this.#edge);
        url.hostname = host;
        if (listener.kind === "public") url.pathname = listener.path;
        return url.pathname === "/" ? url.origin : url.href;
      }
      default:
        return listener satisfies never;
    }
  }
}
