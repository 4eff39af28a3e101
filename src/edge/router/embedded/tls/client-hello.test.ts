import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import tls from "node:tls";
import fc from "fast-check";
import { longestHello, readClientHello } from "./client-hello.ts";

/** What Node's own client sends first. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = tls.connect({ ...options, host: "127.0.0.1", port: (server.address() as net.AddressInfo).port });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [net.Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

const hello = await helloOf({ servername: "Shop.Example.COM", ALPNProtocols: ["h2", "http/1.1"] });

test("the host and the protocols that a client asks for are read", async () => {
  assert.deepEqual(readClientHello(hello), { serverName: "shop.example.com", protocols: ["h2", "http/1.1"] });
  assert.deepEqual(readClientHello(await helloOf({})), { serverName: "", protocols: [] });
});

test("every beginning of a hello asks for more; what comes after it, such as early data, is not looked at", () => {
  for (let length = 0; length < hello.length; length++) assert.equal(readClientHello(hello.subarray(0, length)), "more", `${length}`);
  assert.deepEqual(readClientHello(Buffer.concat([hello, Buffer.from([23, 3, 3, 0])])), readClientHello(hello));
});

test("a hello that is cut into records is put together", () => {
  const message = hello.subarray(5);
  const records = Buffer.concat(
    [message.subarray(0, 1), message.subarray(1, 60), message.subarray(60)].map((part) =>
      Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]),
    ),
  );
  assert.deepEqual(readClientHello(records), { serverName: "shop.example.com", protocols: ["h2", "http/1.1"] });
});

test("no change of any byte makes it read a wrong thing or fail in another way than null", () => {
  fc.assert(
    fc.property(fc.nat(hello.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
      const changed = Buffer.from(hello);
      changed[at] = value;
      const read = readClientHello(changed);
      assert.ok(read === null || read === "more" || /^[a-z0-9._-]*$/.test(read.serverName));
    }),
    { numRuns: 2_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readClientHello(Buffer.concat([Buffer.from([22, 3, 1]), bytes]));
    }),
    { numRuns: 2_000 },
  );
});

test("a hello that says it is longer than any is refused before its end", () => {
  const bytes = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(100)]);
  assert.equal(readClientHello(bytes), null);
  const tiny = Buffer.from([22, 3, 1, 0, 1, 1]);
  const flood = Buffer.concat(Array<Buffer>(longestHello).fill(tiny));
  assert.equal(readClientHello(flood), null);
});
