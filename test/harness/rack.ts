import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";
import type { Host } from "./hosts.ts";
import type { SshHosts } from "./ssh-hosts.ts";

/** The longest word that it is told. */
const longestBody = 16;

/**
 * What switches the power of test hosts, as a rack's power distribution unit does it over the network: `PUT /` is the main breaker, `PUT /network` the
 * switch that the hosts are cabled to, `PUT /10.213.1.11` one outlet, each with `on` or `off`. `GET /` answers 200 while the breaker is on.
 */
export class Rack implements AsyncDisposable {
  readonly url: string;
  readonly #server: http.Server;
  readonly #hosts: SshHosts;
  readonly #outlets: ReadonlyMap<string, Host>;
  /** Outlets that are on, if the breaker is. */
  readonly #on = new Set<string>();
  /** Outlets that cannot be switched any more. */
  readonly #burnt = new Set<string>();
  #isOn = true;

  private constructor(hosts: SshHosts, names: readonly string[], server: http.Server, port: number) {
    this.#hosts = hosts;
    this.#server = server;
    this.#outlets = new Map(names.map((name) => [hosts.get(name).address, hosts.get(name)]));
    for (const address of this.#outlets.keys()) this.#on.add(address);
    this.url = `http://${hosts.own}:${port}`;
  }

  /** @param names of hosts that have a disk, and are on */
  static async open(hosts: SshHosts, names: readonly string[]): Promise<Rack> {
    const server = http.createServer();
    await once(server.listen(0, hosts.own), "listening");
    const address = server.address();
    const rack = new Rack(hosts, names, server, typeof address === "object" && address !== null ? address.port : 0);
    server.on("request", (request, response) => {
      const answer = (status: number, words: string) => response.writeHead(status).end(`${words}\n`);
      rack.#answer(request).then(
        ([status, words]) => answer(status, words),
        (error: unknown) => answer(500, String(error)),
      );
    });
    return rack;
  }

  async switch(address: string, to: "on" | "off"): Promise<void> {
    const host = this.#outlets.get(address);
    if (host === undefined) throw new Error(`there is no outlet ${address}`);
    if (to === "on") this.#on.add(address);
    else this.#on.delete(address);
    await this.#settle(address, host);
  }

  /** The main breaker. Outlets that were on are on again with it. */
  async break(to: "on" | "off"): Promise<void> {
    this.#isOn = to === "on";
    await Promise.all([...this.#outlets].map(([address, host]) => this.#settle(address, host)));
  }

  /** The host is off for good: its outlet answers, and does nothing. */
  async burn(address: string): Promise<void> {
    await this.switch(address, "off");
    this.#burnt.add(address);
  }

  async #settle(address: string, { name }: Host): Promise<void> {
    if (this.#burnt.has(address)) return;
    await (this.#isOn && this.#on.has(address) ? this.#hosts.powerOn(name) : this.#hosts.powerOff(name));
  }

  async #answer(request: http.IncomingMessage): Promise<readonly [number, string]> {
    const what = request.url?.slice(1) ?? "";
    if (request.method === "GET") return this.#isOn ? [200, "the rack is on"] : [503, "the rack is off"];
    const to = (await text(request)).slice(0, longestBody).trim();
    if (request.method !== "PUT" || (to !== "on" && to !== "off")) return [400, "PUT on or off"];
    if (what === "") await this.break(to);
    else if (what === "network") for (const host of this.#outlets.values()) to === "on" ? host.heal() : host.cut();
    else if (!this.#outlets.has(what)) return [404, `there is no outlet ${what}`];
    else if (this.#burnt.has(what)) return [500, `outlet ${what} does nothing`];
    else await this.switch(what, to);
    return [200, `${what === "" ? "the rack" : what} is ${to}`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
