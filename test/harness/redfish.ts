import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts } from "#host/testing/free-ports.ts";
import { root } from "./drover.ts";
import { testCertificate } from "./test-certificate.ts";

/** Where the set-up of the tests puts it: OpenStack's emulator of Redfish, with systems that exist in its memory alone. */
const program = join(root, "node_modules", ".cache", "drover-python", "bin", "sushy-emulator");
const startMs = 30_000;

/** Why there is no emulator; null if there is. */
export function whyNoRedfish(): string | null {
  return existsSync(program) ? null : "there is no sushy-emulator";
}

export interface Redfish extends AsyncDisposable {
  /** Of a system: `https://…/redfish/v1/Systems/<id>`. */
  url(system: number): string;
  /** PEM that its certificate can be checked with. */
  readonly ca: string;
}

/**
 * An emulator with so many systems that are off, over TLS.
 * @param folder where it keeps what it has, and its log
 * @param notify where it tells of each change of a system, by its hook for that; null: nowhere
 */
export async function startRedfish(folder: string, systems: number, notify: string | null = null): Promise<Redfish> {
  const [port = 0] = await freePorts(1);
  const { key, cert } = await testCertificate();
  const file = (name: string, text: string) => writeFile(join(folder, name), text).then(() => join(folder, name));
  const all = Array.from({ length: systems }, (_, i) => ({
    uuid: id(i),
    name: `metal-${i}`,
    power_state: "Off",
    external_notifier: notify !== null,
    nics: [],
  }));
  const config = await file(
    "config.py",
    `SUSHY_EMULATOR_STATE_DIR = ${JSON.stringify(folder)}
SUSHY_EMULATOR_FAKE_SYSTEMS = ${JSON.stringify(all).replaceAll("false", "False").replaceAll("true", "True")}
EXTERNAL_NOTIFICATION_URL = ${JSON.stringify(notify ?? "")}
`,
  );
  const tls = ["--ssl-certificate", await file("cert.pem", cert), "--ssl-key", await file("key.pem", key)];
  // It lets one to eleven seconds go by before a system is switched; the first is enough.
  await file("sitecustomize.py", "import random\nrandom.randint = lambda least, most: least\n");
  const server = spawn(program, ["--fake", "--config", config, "-i", "127.0.0.1", "-p", String(port), ...tls], {
    stdio: "ignore",
    env: { ...process.env, PYTHONPATH: folder },
  });
  const ended = once(server, "exit");
  const stop = async () => {
    server.kill("SIGKILL");
    await ended;
  };
  const giveUpAt = Date.now() + startMs;
  while (!(await listens(port))) {
    if (server.exitCode !== null || Date.now() > giveUpAt) {
      await stop();
      throw new Error("the emulator of Redfish does not start");
    }
    await delay(50);
  }
  return { url: (system) => `https://127.0.0.1:${port}/redfish/v1/Systems/${id(system)}`, ca: cert, [Symbol.asyncDispose]: stop };
}

const id = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
