import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "#host/testing/free-ports.ts";
import { keyPem, makeCertificate, newKey } from "../../src/host/x509/make-certificate.ts";
import { request } from "./drover.ts";

const patienceMs = 20_000;

/** A certificate authority that speaks ACME, on loopback; every name leads to 127.0.0.1. It refuses good nonces now and then. */
export class Pebble implements AsyncDisposable {
  readonly directory: string;
  /** File with the certificate that its API is trusted by. */
  readonly caFile: string;
  /** Where DNS records are set. */
  readonly dnsPort: number;
  readonly #folder: string;
  readonly #apiPort: number;
  readonly #managementPort: number;
  readonly #ca: string;
  readonly #children: readonly ChildProcess[];

  private constructor(folder: string, ca: string, ports: readonly number[], children: readonly ChildProcess[]) {
    const [apiPort = 0, managementPort = 0, dnsPort = 0] = ports;
    this.#folder = folder;
    this.#ca = ca;
    this.#apiPort = apiPort;
    this.#managementPort = managementPort;
    this.#children = children;
    this.dnsPort = dnsPort;
    this.directory = `https://127.0.0.1:${apiPort}/dir`;
    this.caFile = join(folder, "ca.pem");
  }

  /** @param certificateSeconds how long its certificates are good */
  static async start(options: {
    readonly httpPort: number;
    readonly tlsPort: number;
    readonly certificateSeconds: number;
  }): Promise<Pebble> {
    const folder = await mkdtemp(join(tmpdir(), "drover-pebble-"));
    const ports = await freePorts(4);
    const [apiPort, managementPort, dnsManagementPort, dnsPort] = ports;
    const key = await newKey();
    const life = { notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 3_600_000 };
    const cert = makeCertificate({ name: "pebble", key, ...life, use: { kind: "server", hosts: ["127.0.0.1"] } });
    const config = {
      pebble: {
        listenAddress: `127.0.0.1:${apiPort}`,
        managementListenAddress: `127.0.0.1:${managementPort}`,
        certificate: join(folder, "ca.pem"),
        privateKey: join(folder, "key.pem"),
        httpPort: options.httpPort,
        tlsPort: options.tlsPort,
        ocspResponderURL: "",
        externalAccountBindingRequired: false,
        certificateValidityPeriod: options.certificateSeconds,
      },
    };
    await writeFile(join(folder, "ca.pem"), cert);
    await writeFile(join(folder, "key.pem"), keyPem(key));
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    const environment = { ...process.env, PEBBLE_WFE_NONCEREJECT: "20", PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_ORDERS_PER_PAGE: "100" };
    const start = (program: string, ...args: readonly string[]) => spawn(program, args, { stdio: "ignore", env: environment });
    const dns = ["-dns01", `127.0.0.1:${dnsPort}`, "-management", `127.0.0.1:${dnsManagementPort}`, "-defaultIPv6", ""];
    const children = [
      start("pebble-challtestsrv", ...dns, "-http01", "", "-https01", "", "-tlsalpn01", ""),
      start("pebble", "-strict", "-config", join(folder, "config.json"), "-dnsserver", `127.0.0.1:${dnsPort}`),
    ];
    const pebble = new Pebble(folder, cert, [apiPort, managementPort, dnsManagementPort].map(Number), children);
    await pebble.#answers();
    return pebble;
  }

  /** What its certificates are trusted by. */
  root(): Promise<string> {
    return this.#get(this.#managementPort, "/roots/0");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map((child) => (child.exitCode ?? child.signalCode) !== null || once(child, "exit")));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #answers(): Promise<void> {
    const end = performance.now() + patienceMs;
    for (;;) {
      try {
        await this.#get(this.#apiPort, "/dir");
        await request({ port: this.dnsPort, method: "POST", path: "/clear-txt", headers: {}, body: '{"host":"none."}' });
        return;
      } catch (error) {
        if (performance.now() > end) throw error;
        await delay(20);
      }
    }
  }

  #get(port: number, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = https.get({ host: "127.0.0.1", port, path, ca: this.#ca, agent: false }, (answer) => {
        let body = "";
        answer.on("data", (chunk) => (body += chunk));
        answer.on("end", () => resolve(body));
      });
      call.on("error", reject);
    });
  }
}
