import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root, TestDrover } from "../harness/drover.ts";
import { startLoad } from "../harness/load.ts";
import { EchoSocket } from "../harness/sockets.ts";

const deploys = 20;
/** How long one request of a hundred takes. DROVER_FULL=1 makes it five seconds, and the test a minute. */
const slowSeconds = process.env["DROVER_FULL"] === "1" ? 5 : 1;
const web = `exec node ${join(root, "test/fixtures/web.mjs")}`;
/**
 * Every fourth goes one instance at a time, which waits for each drain, and so for the slow requests; the others replace all at once, so that the test
 * stays short. A drain is three seconds longer than a slow request.
 */
const manifest = (version: number) => `
app: web
run: ${web}
instances: 2
env: { VERSION: "${version}", SLOW_MS: "${slowSeconds * 1_000}" }
ready: { http: / }
stop: { drain: ${slowSeconds + 3}s, grace: 5s }
deploy: { surge: ${version % 4 === 0 ? "1" : "100%"} }
`;

test("twenty rolling deploys in a row under load fail no request and cut no connection before its drain", async () => {
  await using drover = await TestDrover.start();
  await drover.apply(manifest(0));
  const host = "web.default.localhost";
  await using load = startLoad({ port: drover.edgePort, host, perSecond: 200, slowEvery: 100 });
  const sockets: EchoSocket[] = [];
  for (let version = 1; version <= deploys; version++) {
    const socket = version % 5 === 1 ? new EchoSocket(drover.edgePort, host) : null;
    await socket?.opened;
    await drover.apply(manifest(version));
    // Ready means that the instances are; the last of the old ones leave the table of the last worker a moment later.
    await drover.until("the deployed version answers", async () => JSON.parse((await drover.get(host)).body).version === String(version));
    if (socket === null) continue;
    sockets.push(socket);
    // Its release is being drained, for as long as that takes; it has to work until the app itself says goodbye.
    if (socket.closeCode === null) await socket.echo(`still there ${version}`, 1001);
  }
  const { sent, answered, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(answered, sent);
  const codes = await Promise.all(sockets.map((socket) => socket.closed));
  // 1001: the app said that it goes away, after its drain. 1006 would be a cut connection.
  assert.deepEqual([...new Set(codes)], [1001]);
});
