import type { ClientHttp2Session } from "node:http2";
import type { Endpoint } from "../endpoint.ts";
import type { Limits } from "../limits.ts";
import type { MachineClients } from "../machines/machine-clients.ts";

/** What an app may send ahead of one request's client, and of all together. */
const streamWindowBytes = 262_144;
const windowBytes = 2 ** 20;
/** Megabytes that a connection may hold in nghttp2 itself. */
const memoryMegabytes = 8;

/** Connections of HTTP/2 without TLS to instances: one for each, which all requests share. */
export class Http2Upstreams {
  readonly #limits: Limits;
  readonly #machines: MachineClients;
  readonly #sessions = new WeakMap<Endpoint, Promise<ClientHttp2Session>>();

  constructor(limits: Limits, machines: MachineClients) {
    this.#limits = limits;
    this.#machines = machines;
  }

  /** The connection to the instance, made if there is none. Rejects if the instance takes none. */
  open(endpoint: Endpoint): Promise<ClientHttp2Session> {
    let session = this.#sessions.get(endpoint);
    if (session === undefined) {
      session = this.#connect(endpoint);
      this.#sessions.set(endpoint, session);
    }
    return session;
  }

  #connect(endpoint: Endpoint): Promise<ClientHttp2Session> {
    const limits = this.#limits;
    const { promise, resolve, reject } = Promise.withResolvers<ClientHttp2Session>();
    const { entry } = endpoint;
    const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
    const session = process.getBuiltinModule("node:http2").connect(`http://${host}:${endpoint.port}`, {
      ...(entry === null ? {} : { createConnection: () => this.#machines.connect(endpoint, entry) }),
      maxSessionMemory: memoryMegabytes,
      settings: { enablePush: false, initialWindowSize: streamWindowBytes, maxHeaderListSize: limits.responseHeadBytes },
    });
    const forget = () => {
      this.#sessions.delete(endpoint);
    };
    // From here on new requests need a new connection; those under way end as they may.
    session.on("goaway", forget);
    session.on("close", () => {
      forget();
      reject(new Error("the connection closed before it was made"));
    });
    session.on("error", (error) => {
      forget();
      reject(error);
    });
    session.setTimeout(limits.connectMs, () => session.destroy());
    session.on("remoteSettings", () => {
      // Only now is it known that HTTP/2 is spoken there.
      session.setTimeout(0);
      resolve(session);
    });
    session.on("connect", () => session.setLocalWindowSize(windowBytes));
    return promise;
  }

  /** A request is over: a connection to an instance that left the table ends with its last one. */
  release(endpoint: Endpoint): void {
    if (!endpoint.isGone || endpoint.open > 0) return;
    this.#sessions.get(endpoint)?.then(
      (session) => session.close(),
      () => {}, // It was never made.
    );
  }
}
