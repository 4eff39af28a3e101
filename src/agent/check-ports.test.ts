import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { checkPorts } from "./check-ports.ts";

test("a port is taken where something listens, and free at other addresses of the machine", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  try {
    const bound = other.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    const check = (host: string) => checkPorts([{ what: "the edge", flag: "--http", address: { host, port } }], "/nowhere");
    await check("127.0.0.2");
    await assert.rejects(check("127.0.0.1"), {
      code: "PORT_IN_USE",
      message: /the edge cannot listen on 127\.0\.0\.1:\d+: it is taken by/,
    });
    await assert.rejects(check("0.0.0.0"), { code: "PORT_IN_USE" });
  } finally {
    other.close();
  }
});
