import assert from "node:assert/strict";
import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { root, TestDrover } from "../harness/drover.ts";
import { Pebble } from "../harness/pebble.ts";

const skip =
  ["pebble", "curl"].some((program) => programOnPath(program) === null) &&
  "pebble or curl is not here: ordering certificates was not tested";
const web = `exec node ${join(root, "test/fixtures/web.mjs")}`;
const manifest = (hosts: readonly string[]) => `
app: web
run: ${web}
routes: [${hosts.map((host) => `{ host: ${host} }`).join(", ")}]
`;
/** Renewed after five to six seconds. */
const certificateSeconds = 9;

async function shown(drover: TestDrover, host: string): Promise<X509Certificate> {
  const socket = tls.connect({ host: "127.0.0.1", port: drover.tlsPort, servername: host, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  assert.ok(certificate);
  return certificate;
}

test("certificates are ordered by each kind of challenge, renewed in time, and served on when the authority is gone", {
  skip,
}, async () => {
  await using drover = await TestDrover.start();
  const hosts = { "http-01": "one.shop.test", "tls-alpn-01": "two.shop.test", "dns-01": "three.shop.test" } as const;
  {
    await using pebble = await Pebble.start({ httpPort: drover.edgePort, tlsPort: drover.tlsPort, certificateSeconds });
    const command = join(drover.home, "server", "acme-dns");
    const record = `{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}`;
    await writeFile(
      command,
      `#!/bin/sh\n[ "$1" = set ] && verb=set-txt || verb=clear-txt\nexec curl -sf -d "${record}" http://127.0.0.1:${pebble.dnsPort}/$verb\n`,
    );
    await chmod(command, 0o700);
    const routed: string[] = [];
    for (const [challenge, host] of Object.entries(hosts)) {
      await drover.run(
        "certificate",
        "acme",
        pebble.directory,
        "--ca",
        pebble.caFile,
        "--challenge",
        challenge,
        "--email",
        "ops@shop.test",
      );
      routed.push(host);
      await drover.apply(manifest(routed));
      await drover.until(`${host} has an ordered certificate`, async () => /Pebble/.test((await shown(drover, host)).issuer));
    }
    const host = hosts["dns-01"];
    const first = (await shown(drover, host)).serialNumber;
    await drover.until("the certificate is renewed", async () => (await shown(drover, host)).serialNumber !== first);
    assert.match(await drover.run("certificate", "ls"), /acme\/one\.shop\.test +one\.shop\.test/);
    assert.equal((await drover.get(host, "/x")).status, 308, "browsers trust it, so plain HTTP is sent on");
  }
  const last = await shown(drover, hosts["http-01"]);
  await drover.cli(["certificate", "renew", "acme/one.shop.test"]);
  await drover.until("the failure is told", async () => /no certificate could be ordered for one\.shop\.test/.test(await drover.status()));
  await drover.kill("server");
  await drover.ready();
  assert.match(await drover.status(), /no certificate could be ordered for one\.shop\.test/, "a new server still knows, and waits as long");
  const now = await shown(drover, hosts["http-01"]);
  assert.ok(now.serialNumber === last.serialNumber || now.issuer === "CN=Drover", "the last good one, or an own one once that is over");
});
