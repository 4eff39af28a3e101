import type { ClientCertificate } from "./client-certificate.ts";

/** How a connection is secured. */
export interface Security {
  /** The host that the client asked for in its handshake, in lower case. */
  readonly serverName: string;
  /** Whether the certificate of this connection is the one for requests of `host` too. */
  covers(host: string): boolean;
  /** What the client showed; null if it was not asked. */
  readonly client: ClientCertificate | null;
}
