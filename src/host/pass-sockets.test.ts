import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bindSocket, portOf } from "./listening-socket.ts";
import { giveSockets, takeSockets } from "./pass-sockets.ts";

async function pathOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "drover-pass-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "give");
}

test("a socket that was taken is the same one: connections that wait at it outlive whoever gave it", async (t) => {
  const path = await pathOf(t);
  const names = Array.from({ length: 20 }, (_, i) => `socket ${i}`);
  const own = await Promise.all(names.map(async (name) => [name, await bindSocket({ host: "127.0.0.1", port: 0 })] as const));
  const ports = new Map(own.map(([name, socket]) => [name, portOf(socket)]));
  const given = Promise.withResolvers<void>();
  const giver = await giveSockets(
    path,
    () => own,
    () => given.resolve(),
  );
  const [first] = own;
  assert.ok(first);
  const old = net.createServer((client) => client.end("old"));
  old.listen(first[1]);
  await once(old, "listening");

  const taken = await takeSockets(path, t.signal);
  assert.deepEqual(
    [...taken].map(([name, socket]) => [name, portOf(socket)]),
    [...ports],
  );
  await given.promise;
  giver.close();
  for (const [, socket] of own) socket.close();
  old.close();
  // Nobody accepts at this moment.
  const waiting = net.connect(ports.get("socket 0") ?? 0, "127.0.0.1");
  await once(waiting, "connect");
  const next = net.createServer((client) => client.end("next"));
  next.listen(taken.get("socket 0"));
  const [bytes] = (await once(waiting, "data")) as [Buffer];
  assert.equal(bytes.toString(), "next");
  next.close();
  for (const socket of taken.values()) socket.close();
});

test("where nobody gives any more there is an error with its code, and nothing to take is no error", async (t) => {
  const path = await pathOf(t);
  const giver = await giveSockets(
    path,
    () => [],
    () => {},
  );
  assert.equal((await takeSockets(path, t.signal)).size, 0);
  giver.close();
  await assert.rejects(takeSockets(path, t.signal), { code: "ENOENT" });
});
