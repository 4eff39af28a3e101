import type { Socket } from "node:net";
import tls from "node:tls";
import type { RouteUpstream } from "#model/routing-table.ts";
import type { Endpoint } from "../endpoint.ts";

/** How a route's instances are spoken to over TLS. Connections are kept apart by it: one that was verified by other rules counts for nothing. */
export class UpstreamTls {
  readonly #verifies: boolean;
  readonly #serverName: string | undefined;
  readonly #context: tls.SecureContext;
  /** The last session of each instance, so that the next connection need not exchange certificates again. */
  readonly #sessions = new WeakMap<Endpoint, Buffer>();

  /** @param ca left out: the machine's authorities @throws {Error} of OpenSSL if the authority cannot be read */
  constructor(upstream: RouteUpstream & { readonly protocol: "https" }, ca: string | string[] | undefined) {
    this.#verifies = upstream.verify;
    this.#serverName = upstream.serverName;
    this.#context = tls.createSecureContext({ minVersion: "TLSv1.2", ...(ca === undefined ? {} : { ca }) });
  }

  /**
   * Ready with "secureConnect"; an instance that is not who it should be ends it with an error before that.
   * @param below a connection to it, or one that is being made; null: one is made
   */
  connect(endpoint: Endpoint, below: Socket | null = null): tls.TLSSocket {
    const session = this.#sessions.get(endpoint);
    const { host, port } = endpoint;
    const name = this.#serverName;
    // Node takes `allowHalfOpen` here as everywhere; its types do not say so.
    const options: tls.ConnectionOptions & { readonly allowHalfOpen: boolean } = {
      ...(below === null ? { host, port } : { socket: below }),
      allowHalfOpen: true,
      secureContext: this.#context,
      rejectUnauthorized: this.#verifies,
      ALPNProtocols: ["http/1.1"],
      ...(name === undefined ? {} : { servername: name }),
      ...(session === undefined ? {} : { session }),
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(name ?? host, certificate),
    };
    const socket = tls.connect(options);
    below?.on("error", (error) => socket.destroy(error));
    socket.on("session", (next: Buffer) => this.#sessions.set(endpoint, next));
    return socket;
  }
}

/** An instance took the connection, and is not who it should be or speaks no TLS that we do. */
export class UpstreamNotTrusted extends Error {}

/** What ended a connection before it was ready. */
export function refusalOf(socket: tls.TLSSocket, error: NodeJS.ErrnoException): Error {
  const isOfTls = socket.authorizationError != null || /^(?:EPROTO$|ERR_SSL_|ERR_TLS_)/.test(error.code ?? "");
  return isOfTls ? new UpstreamNotTrusted(error.message, { cause: error }) : error;
}

/** Null for instances without TLS. An authority that cannot be read trusts nobody. @param onUnreadable told why */
export function upstreamTls(upstream: RouteUpstream | undefined, onUnreadable: (error: unknown) => void): UpstreamTls | null {
  if (upstream?.protocol !== "https") return null;
  try {
    return new UpstreamTls(upstream, upstream.caPem);
  } catch (error) {
    onUnreadable(error);
    return new UpstreamTls(upstream, []);
  }
}
