import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root, TestDrover } from "../harness/drover.ts";
import { startLoad } from "../harness/load.ts";
import { EchoSocket } from "../harness/sockets.ts";

const web = `exec node ${join(root, "test/fixtures/web.mjs")}`;
const manifest = (version: number) =>
  `app: web\nrun: ${web}\ninstances: 2\nenv: { VERSION: "${version}" }\nready: { http: / }\nstop: { drain: 8s, grace: 5s }\n`;

test("twenty rolling deploys in a row under load fail no request and cut no connection before its drain", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(manifest(0));
  const host = "web.default.localhost";
  const load = startLoad({ port: drover.edgePort, host, perSecond: 200, slowEvery: 100 });
  const sockets: EchoSocket[] = [];
  for (let version = 1; version <= 20; version++) {
    const socket = new EchoSocket(drover.edgePort, host);
    sockets.push(socket);
    await socket.opened;
    await drover.apply(manifest(version));
    assert.equal(JSON.parse((await drover.get(host)).body).version, String(version), "the deployed version answers");
    // Its release is being drained now, which may take up to 8 s; the socket has to work until the app itself ends it.
    if (socket.closeCode === null)
      await socket.echo(`still there ${version}`).catch((error: unknown) => socket.closeCode ?? assert.fail(String(error)));
  }
  const { sent, answered, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(answered, sent);
  const codes = await Promise.all(sockets.slice(0, -1).map((socket) => socket.closed));
  // 1001: the app said that it goes away, after its drain. 1006 would be a cut connection.
  assert.deepEqual([...new Set(codes)], [1001]);
  sockets.at(-1)?.close();
});
