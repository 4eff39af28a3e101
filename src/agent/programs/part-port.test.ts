import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { partRequest } from "#model/programs.ts";
import { PartPort } from "./part-port.ts";

const text = "the bytes of a part";
const digest = createHash("sha256").update(text).digest("hex");

async function opened(t: TestContext, sayWithinMs?: number) {
  const folder = await mkdtemp(join(tmpdir(), "drover-part-port-"));
  await writeFile(join(folder, "part"), text);
  let uses = 0;
  const files = new Map([[digest, join(folder, "part")]]);
  const port = new PartPort({ files, onUse: () => uses++, ...(sayWithinMs === undefined ? {} : { sayWithinMs }) });
  port.server.listen(0);
  await once(port.server, "listening");
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    port.server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const dial = async (localAddress = "127.0.0.1") => {
    const socket = connect({ host: "127.0.0.1", port: (port.server.address() as AddressInfo).port, localAddress });
    sockets.push(socket.on("error", () => undefined));
    await once(socket, "connect");
    return socket;
  };
  const fetch = async (token: string, localAddress?: string) => {
    const socket = await dial(localAddress);
    socket.write(partRequest(token, digest));
    return String(await buffer(socket).catch(() => Buffer.of()));
  };
  return { port, dial, fetch, uses: () => uses };
}

test("each part of an offer is given once, to who shows its token", async (t) => {
  const { port, fetch, uses } = await opened(t);
  port.offer({ token: "one", parts: [digest] });
  assert.equal(await fetch("other"), "");
  assert.equal(uses(), 0, "strangers do not keep the port open");
  assert.equal(await fetch("one"), text);
  assert.equal(await fetch("one"), "");
  assert.equal(uses(), 2);
});

test("sockets that say nothing keep nobody out, be they of one address or of many", async (t) => {
  const { port, dial, fetch } = await opened(t);
  for (let n = 0; n < 100; n++) await dial();
  port.offer({ token: "one", parts: [digest] });
  assert.equal(await fetch("one"), text, "of the same address too");
  for (let n = 0; n < 100; n++) await dial(`127.0.1.${n + 1}`);
  port.offer({ token: "two", parts: [digest] });
  assert.equal(await fetch("two", "127.0.2.1"), text);
});

test("who says what it wants letter by letter has no more time than others", async (t) => {
  const { dial } = await opened(t, 50);
  const socket = await dial();
  const dripping = setInterval(() => socket.write("d"), 5);
  await once(socket, "close");
  clearInterval(dripping);
});
