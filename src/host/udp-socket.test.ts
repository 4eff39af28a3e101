import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { UdpSocket } from "./udp-socket.ts";

/** Answers each datagram with its name and what came. */
async function echo(t: TestContext, name: string, host: string, port = 0): Promise<UdpSocket> {
  const socket = await UdpSocket.bind({ host, port, isShared: true });
  t.after(() => socket.close());
  socket.receive(
    (bytes, from) => socket.send(Buffer.concat([Buffer.from(`${name} `), bytes]), from),
    (error) => assert.fail(error),
  );
  return socket;
}

async function client(t: TestContext): Promise<Socket> {
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

for (const host of ["127.0.0.1", "0.0.0.0"])
  test(`a socket that leaves ${host} to another loses nothing that was sent before, while or after`, { timeout: 60_000 }, async (t) => {
    const old = await echo(t, "old", host);
    const { port } = old.address;
    const clients = await Promise.all(Array.from({ length: 20 }, () => client(t)));
    const answers: string[] = [];
    for (const one of clients) one.on("message", (bytes) => answers.push(bytes.toString()));
    let sent = 0;
    // As many as wait for their answers at most fit into any socket's buffer: what is lost, then, is lost by us.
    const sending = (async () => {
      for (; sent < 4_000; sent++) {
        while (sent - answers.length >= 40) await nextTurn(undefined, { signal: t.signal });
        clients[sent % clients.length]?.send(String(sent), port, "127.0.0.1");
      }
      while (answers.length < sent) await nextTurn(undefined, { signal: t.signal });
    })();
    const reached = async (count: number) => {
      while (answers.length < count) await nextTurn(undefined, { signal: t.signal });
    };
    await reached(500);
    await echo(t, "next", host, port);
    await reached(1_500);
    old.leave();
    await old.emptied();
    old.close();
    await sending;
    const numbers = answers.map((answer) => Number(answer.split(" ")[1]));
    assert.equal(new Set(numbers).size, 4_000);
    assert.ok(answers.some((answer) => answer.startsWith("old ")));
    assert.ok(answers.slice(-1_000).every((answer) => answer.startsWith("next ")));
  });

test("a socket that has left can still answer, also after one that nobody took", async (t) => {
  const one = await client(t);
  const gone = createSocket("udp4").bind(0, "127.0.0.1");
  await once(gone, "listening");
  const socket = await UdpSocket.bind({ host: "127.0.0.1", port: 0, isShared: true });
  t.after(() => socket.close());
  const asked = Promise.withResolvers<{ readonly address: string; readonly port: number }>();
  socket.receive(
    (_bytes, from) => asked.resolve(from),
    (error) => assert.fail(error),
  );
  one.send("question", socket.address.port, "127.0.0.1");
  const from = await asked.promise;
  const nobody = gone.address();
  await new Promise<void>((resolve) => gone.close(() => resolve()));
  socket.leave();
  await socket.emptied();
  const answer = once(one, "message");
  for (let i = 0; i < 3; i++) socket.send(Buffer.from("lost"), nobody);
  await socket.emptied();
  socket.send(Buffer.from("answer"), from);
  assert.equal(String((await answer)[0]), "answer");
});

test("an address that somebody else has is an error with its code, and nobody else can share ours", async (t) => {
  const socket = await UdpSocket.bind({ host: "127.0.0.1", port: 0, isShared: true });
  t.after(() => socket.close());
  const { port } = socket.address;
  await assert.rejects(UdpSocket.bind({ host: "127.0.0.1", port, isShared: false }), { code: "EADDRINUSE" });
  const intruder = createSocket({ type: "udp4", reuseAddr: true });
  t.after(() => intruder.close());
  intruder.bind(port, "127.0.0.1");
  const [error] = (await once(intruder, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "EADDRINUSE");
});
