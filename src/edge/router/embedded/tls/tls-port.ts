import { constants, createHmac } from "node:crypto";
import type net from "node:net";
import tls from "node:tls";
import type { CertificateChange } from "#model/certificates.ts";
import type { EdgeContext } from "../context.ts";
import type { LiveRoute } from "../live-route.ts";
import { CertificateIndex, protocolOptions } from "./certificate-index.ts";
import { type ClientPolicy, clientCertificateOf } from "./client-certificate.ts";
import { HostMap } from "./host-map.ts";
import { peekClientHello } from "./peek.ts";
import type { Security } from "./security.ts";

const acmeProtocol = "acme-tls/1";
/** Sessions of connections that were not asked for a certificate. */
const plainSession = "drover";

/** What becomes of connections to the TLS port; of those whose handshake fails nothing does. */
export interface TlsUser {
  onSecure(socket: tls.TLSSocket, security: Security): void;
  /** Bytes go to the route's app as they are; what was read of them is back in the socket. */
  onPassthrough(socket: net.Socket, route: LiveRoute): void;
}

interface Terminator {
  readonly server: tls.Server;
  readonly policy: ClientPolicy | null;
}

/**
 * Ends TLS for the public routes. Connections are looked into before their handshake only while some route asks for that: passthrough, client
 * certificates, or a challenge of an authority.
 */
export class TlsPort {
  readonly certificates = new CertificateIndex();
  readonly #context: EdgeContext;
  readonly #protocols: readonly string[];
  #user: TlsUser | null = null;
  readonly #plain: Terminator;
  readonly #passthrough = new HostMap<LiveRoute>();
  readonly #policies = new HostMap<ClientPolicy>();
  readonly #mutual = new Map<string, Terminator>();
  #acme: tls.Server | null = null;
  #ticketKeys: Buffer | null = null;

  constructor(context: EdgeContext, protocols: readonly string[]) {
    this.#context = context;
    this.#protocols = protocols;
    this.#plain = this.#terminator(null);
  }

  /** @param user the one listener whose connections end here */
  accept(socket: net.Socket, user: TlsUser): void {
    this.#user = user;
    if (this.#passthrough.size === 0 && this.#policies.size === 0 && !this.certificates.hasTlsChallenges) {
      this.#plain.server.emit("connection", socket);
      return;
    }
    peekClientHello(socket, this.#context, this.#context.limits.handshakeMs, (hello) => {
      const route = this.#passthrough.get(hello.serverName);
      if (route !== undefined) {
        user.onPassthrough(socket, route);
        return;
      }
      if (hello.protocols.includes(acmeProtocol) && this.certificates.hasTlsChallenges) this.#acmeServer().emit("connection", socket);
      else this.#terminatorFor(hello.serverName).server.emit("connection", socket);
    });
  }

  apply(change: CertificateChange): void {
    this.certificates.apply(change);
    if (change.ticketKeys === undefined) return;
    const keys = Buffer.from(change.ticketKeys, "base64");
    if (keys.length !== 48) return;
    this.#ticketKeys = keys;
    for (const terminator of [this.#plain, ...this.#mutual.values()]) this.#setTicketKeys(terminator);
  }

  /** Null: connections for the host are ended here. */
  pass(host: string, route: LiveRoute | null): void {
    if (route === null) this.#passthrough.delete(host);
    else this.#passthrough.set(host, route);
  }

  /** Clients of the host are asked for a certificate; null: not any more. */
  ask(host: string, policy: ClientPolicy | null): void {
    if (policy === null) this.#policies.delete(host);
    else this.#policies.set(host, policy);
    const used = new Set([...this.#policies.values()].map(({ key }) => key));
    for (const key of this.#mutual.keys()) if (!used.has(key)) this.#mutual.delete(key);
  }

  policyOf(host: string): ClientPolicy | null {
    return this.#policies.get(host) ?? null;
  }

  #terminatorFor(host: string): Terminator {
    const policy = this.#policies.get(host);
    if (policy === undefined) return this.#plain;
    let terminator = this.#mutual.get(policy.key);
    if (terminator === undefined) {
      terminator = this.#terminator(policy);
      this.#setTicketKeys(terminator);
      this.#mutual.set(policy.key, terminator);
    }
    return terminator;
  }

  /** One for each set of client authorities: a session made under one must not be resumed under another, where it would not be asked again. */
  #terminator(policy: ClientPolicy | null): Terminator {
    const session = policy === null ? plainSession : policy.key;
    const server = tls.createServer({
      // A handshake has its protocols and their order from the server, its certificate from the context that the name leads to.
      ...protocolOptions,
      honorCipherOrder: true,
      allowHalfOpen: true,
      handshakeTimeout: this.#context.limits.handshakeMs,
      ALPNProtocols: [...this.#protocols],
      // Clients that put ChaCha20 first have no AES in hardware.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA,
      sessionIdContext: session,
      requestCert: policy !== null,
      rejectUnauthorized: false,
      SNICallback: (host, done) => {
        try {
          done(null, this.certificates.find(host.toLowerCase())?.context(session, policy));
        } catch (error) {
          this.#context.log.error("a certificate cannot be used", { host, error: error instanceof Error ? error.message : String(error) });
          done(null);
        }
      },
    });
    server.on("secureConnection", (socket) => this.#secured(socket, policy));
    // What clients get wrong is theirs, and scanners get everything wrong all day long; the socket is closed already.
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    return { server, policy };
  }

  #secured(socket: tls.TLSSocket, policy: ClientPolicy | null): void {
    const serverName = typeof socket.servername === "string" ? socket.servername.toLowerCase() : "";
    const certificate = this.certificates.find(serverName);
    // Without a certificate there was no handshake; it may have been removed since.
    if (certificate === null || this.#user === null) {
      socket.destroy();
      return;
    }
    this.#user.onSecure(socket, {
      serverName,
      covers: (host) => host === serverName || this.certificates.find(host)?.certificate.id === certificate.certificate.id,
      client: policy === null ? null : clientCertificateOf(socket, policy),
    });
  }

  #setTicketKeys({ server, policy }: Terminator): void {
    if (this.#ticketKeys === null) return;
    // Of its own for each set of client authorities and revocations, for the reason above: a new list makes old sessions unreadable.
    const keys = policy === null ? this.#ticketKeys : createHmac("sha384", this.#ticketKeys).update(policy.key).digest();
    server.setTicketKeys(keys);
  }

  #acmeServer(): tls.Server {
    if (this.#acme !== null) return this.#acme;
    const server = tls.createServer({
      handshakeTimeout: this.#context.limits.handshakeMs,
      ALPNProtocols: [acmeProtocol],
      SNICallback: (host, done) => done(null, this.certificates.tlsChallenge(host.toLowerCase()) ?? undefined),
    });
    // The handshake was all there was to it (RFC 8737, section 3).
    server.on("secureConnection", (socket) => socket.end());
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#acme = server;
    return server;
  }
}
