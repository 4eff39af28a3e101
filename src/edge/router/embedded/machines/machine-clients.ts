import net from "node:net";
import tls from "node:tls";
import type { MachineIdentity } from "#model/certificates.ts";
import type { Endpoint } from "../endpoint.ts";
import { MachineSockets } from "./machine-sockets.ts";
import { instanceAt } from "./names.ts";

/** Connections to instances on other machines, by those machines' entries. */
export class MachineClients {
  readonly #open = new MachineSockets();
  #members: ReadonlySet<string> = new Set();
  #context: tls.SecureContext | null = null;

  /** New connections are made as `identity` says; those of machines that are no members any more end. */
  apply(identity: MachineIdentity | null): void {
    this.#members = new Set(identity?.members);
    this.#context =
      identity === null
        ? null
        : tls.createSecureContext({ cert: identity.chain, key: identity.key, ca: identity.authority, minVersion: "TLSv1.3" });
    if (identity !== null) this.#open.keep(identity.members);
  }

  /**
   * A connection that is ready with "secureConnect", and is then the instance's: its machine's entry has connected to it before it ends the handshake.
   * Fails where the machine is not who it should be, or no member.
   */
  connect({ host, port }: Pick<Endpoint, "host" | "port">, entry: NonNullable<Endpoint["entry"]>): net.Socket {
    const context = this.#context;
    if (context === null || !this.#members.has(entry.name))
      return new net.Socket().destroy(new Error(`${entry.name} is no machine that this one may send to`));
    // Node takes `allowHalfOpen` here as everywhere; its types do not say so.
    const options: tls.ConnectionOptions & { readonly allowHalfOpen: boolean } = {
      host,
      port: entry.port,
      allowHalfOpen: true,
      secureContext: context,
      servername: instanceAt(port, entry.name),
      checkServerIdentity: (_host, { subjectaltname }) =>
        subjectaltname === `DNS:${entry.name}` ? undefined : new Error(`${host} is ${subjectaltname ?? "nobody"}, not ${entry.name}`),
    };
    const socket = tls.connect(options);
    this.#open.add(entry.name, socket);
    return socket;
  }
}
