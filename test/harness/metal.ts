import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Host } from "./hosts.ts";
import { type Redfish, startRedfish } from "./redfish.ts";

/** A host of metal, and what its system starts when it boots. */
export interface MetalHost {
  readonly host: Host;
  readonly boot: () => void;
}

/**
 * Hosts whose power hangs on the systems of an emulator of Redfish, which tells of each change by its own hook: switched on, the host boots; switched
 * off, gently or not, its power goes. All are off at first.
 */
export class Metal implements AsyncDisposable {
  readonly redfish: Redfish;
  readonly #hook: http.Server;
  readonly #work: { readonly last: () => Promise<void> };

  private constructor(redfish: Redfish, hook: http.Server, work: { readonly last: () => Promise<void> }) {
    this.redfish = redfish;
    this.#hook = hook;
    this.#work = work;
  }

  /** @param folder where the emulator keeps what it has */
  static async open(folder: string, hosts: readonly MetalHost[]): Promise<Metal> {
    let last = Promise.resolve();
    const hook = http.createServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => (text += chunk));
      request.on("end", () => {
        // The emulator waits for the answer, and whoever asked it something waits for the emulator.
        response.end();
        const { name, power_state: power } = JSON.parse(text) as { readonly name: string; readonly power_state: string };
        const metal = hosts[Number(name.split("-")[1])];
        if (metal !== undefined) last = last.then(() => switchTo(metal, power === "On"));
      });
    });
    hook.listen(0, "127.0.0.1");
    await once(hook, "listening");
    const { port } = hook.address() as AddressInfo;
    const redfish = await startRedfish(folder, hosts.length, `http://127.0.0.1:${port}/`);
    return new Metal(redfish, hook, { last: () => last });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.redfish[Symbol.asyncDispose]();
    this.#hook.closeAllConnections();
    await new Promise((closed) => this.#hook.close(closed));
    await this.#work.last();
  }
}

async function switchTo({ host, boot }: MetalHost, isOn: boolean): Promise<void> {
  if (host.isOn === isOn) return;
  if (!isOn) return host.powerOff();
  await host.powerOn();
  boot();
}
