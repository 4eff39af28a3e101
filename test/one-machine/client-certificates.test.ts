import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { testAuthority } from "../../src/edge/router/embedded/testing/certificates.ts";
import { root, TestDrover } from "../harness/drover.ts";

const run = `exec node ${join(root, "test/fixtures/web.mjs")}`;
const host = "private.default.localhost";
const indented = (pem: string) => pem.trim().replace(/^/gm, "          ");

test("a manifest says whose clients get in, and revokes one of them while the app runs", async () => {
  await using drover = await TestDrover.start();
  const clients = await testAuthority("Clients");
  const issue = (name: string) => clients.issue({ kind: "client", hosts: [] }, name);
  const [alice, bob] = [await issue("alice"), await issue("bob")];
  const manifest = (revoked: string) => `app: private
run: ${run}
ready: { http: / }
routes:
  - tls:
      mode: redirect
      clients:
        ca: |
${indented(clients.cert)}
        revoked: |
${indented(revoked)}
`;
  const ca = await drover.run("certificate", "ca");
  /** Status and body; status 0 if no connection came about. */
  const ask = async (options: tls.ConnectionOptions = {}): Promise<{ readonly status: number; readonly body: string }> => {
    const socket = tls.connect({ host: "127.0.0.1", port: drover.tlsPort, servername: host, ca, ...options });
    // A refused handshake has no answer, which tells it.
    socket.on("error", () => {});
    let text = "";
    socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
    socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
    return { status: Number(text.slice(9, 12)), body: text.slice(text.indexOf("\r\n\r\n") + 4) };
  };

  await drover.apply(manifest(clients.revoke([])));
  await drover.until("the host has its certificate", async () => (await ask(bob)).status === 200);
  assert.equal(JSON.parse((await ask(alice)).body).headers["x-client-cert-subject"], "CN=alice");
  assert.equal((await ask()).status, 403);

  await drover.apply(manifest(clients.revoke([alice.cert])));
  await drover.until("the list is in force", async () => (await ask(alice)).status === 403);
  assert.equal((await ask(bob)).status, 200);
});
