import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { systemClock } from "#host/clock.ts";
import type { Clock } from "#model/clock.ts";
import { openAuthority } from "../certificates/authority.ts";
import { ownTls } from "./own-tls.ts";

test("a client that trusts the authority reaches the server under each of its names, and no other", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-tls-"));
  try {
    const pair = await ownTls(folder, await openAuthority(folder, systemClock), ["box.example", "10.1.2.3"], systemClock);
    assert.equal((await stat(join(folder, "ca-key.pem"))).mode & 0o777, 0o600);
    const server = tls.createServer({ ...pair, minVersion: "TLSv1.3" }, (socket) => socket.end()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const ca = await readFile(join(folder, "ca.pem"));
    const { port } = server.address() as AddressInfo;
    for (const [servername, isGood] of [
      ["box.example", true],
      ["localhost", true],
      ["evil.example", false],
    ] as const) {
      const socket = tls.connect({ host: "127.0.0.1", port, servername, ca, rejectUnauthorized: false });
      await once(socket, "secureConnect");
      assert.equal(socket.authorized, isGood, servername);
      socket.destroy();
    }
    server.close();
    assert.equal(new X509Certificate(pair.cert).checkIP("10.1.2.3"), "10.1.2.3");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a certificate is kept until half of its life is over or its names change; the authority stays", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-tls-"));
  try {
    const later: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 20 * 86_400_000 };
    const first = await ownTls(folder, await openAuthority(folder, systemClock), ["a.example"], systemClock);
    const ca = await readFile(join(folder, "ca.pem"), "utf8");
    assert.equal((await ownTls(folder, await openAuthority(folder, systemClock), ["a.example"], systemClock)).cert, first.cert);
    assert.notEqual(
      (await ownTls(folder, await openAuthority(folder, systemClock), ["a.example", "b.example"], systemClock)).cert,
      first.cert,
    );
    const renewed = await ownTls(folder, await openAuthority(folder, later), ["a.example"], later);
    assert.ok(new X509Certificate(renewed.cert).validToDate > new X509Certificate(first.cert).validToDate);
    assert.equal(await readFile(join(folder, "ca.pem"), "utf8"), ca);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
