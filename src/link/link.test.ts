import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { DroverError } from "#model/errors.ts";
import { linkVersion } from "#model/link.ts";
import { acceptLinks } from "./accept.ts";
import type { Link } from "./caller.ts";
import { readGreeting } from "./handshake.ts";
import { type LinkRoutes, serveLink } from "./serve.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });

async function linked(context: TestContext, routes: LinkRoutes, installation: string | null = null): Promise<Link> {
  const folder = await mkdtemp(join(tmpdir(), "drover-link-"));
  const socket = join(folder, "link.sock");
  const stop = new AbortController();
  const listener = net.createServer();
  listener.listen(socket);
  await once(listener, "listening");
  const link = new Promise<Link>((resolve) =>
    acceptLinks({ listener, installation: "one", fence: { epoch: 1, term: 1 }, log, onLink: resolve }, stop.signal),
  );
  const connect = async () => {
    const connection = net.connect(socket);
    await once(connection, "connect");
    return connection;
  };
  const serving = serveLink(
    {
      connect,
      hello: () => ({ role: "agent", machine: "m1", installation }),
      admit: async () => {},
      routes,
      clock: systemClock,
      random: () => 0.5,
      log,
    },
    stop.signal,
  );
  context.after(async () => {
    stop.abort();
    listener.close();
    await serving;
    await rm(folder, { recursive: true });
  });
  return Promise.race([link, delay(2_000, undefined, { ref: false }).then(() => assert.fail("no link"))]);
}

test("an error keeps its code where the answer has no body", async (t) => {
  const link = await linked(t, {
    "HEAD /things/:id": async () => {
      throw new DroverError("ARTIFACT_NOT_FOUND", "there is none");
    },
  });
  await assert.rejects(link.call("HEAD", "/things/a", t.signal), { code: "ARTIFACT_NOT_FOUND" });
});

test("the server calls what the dialler serves and gets its answer", async (t) => {
  const link = await linked(t, { "PUT /things/:id": async (call) => ({ id: call.params["id"], body: await call.body() }) });
  assert.deepEqual(await link.call("PUT", `/things/${encodeURIComponent("a/b")}`, t.signal, { body: { x: 1 } }), {
    id: "a/b",
    body: { x: 1 },
  });
});

test("an error of the peer arrives with its code, hint and details", async (t) => {
  const link = await linked(t, {
    "GET /fails": async () => {
      throw new DroverError("ORDER_OUTDATED", "the order is old", { hint: "Ask again.", details: { revision: 3 } });
    },
  });
  await assert.rejects(link.call("GET", "/fails", t.signal), { code: "ORDER_OUTDATED", hint: "Ask again.", details: { revision: 3 } });
});

test("a stream of lines arrives in order and ends when its reader leaves", async (t) => {
  const ended = Promise.withResolvers<void>();
  const link = await linked(t, {
    "GET /numbers": async (call) => {
      call.signal.addEventListener("abort", () => ended.resolve());
      await call.lines(
        (async function* () {
          for (let n = 0; ; n++) yield { n };
        })(),
      );
    },
  });
  let wanted = 0;
  for await (const value of link.lines("GET", "/numbers", t.signal)) {
    assert.deepEqual(value, { n: wanted });
    if (++wanted === 10_000) break;
  }
  await ended.promise;
});

test("a call both ways carries bytes in each direction", async (t) => {
  const link = await linked(t, {
    "POST /echo": async (call) => {
      call.accept();
      call.stream.pipe(call.stream);
      return undefined;
    },
  });
  const stream = await link.duplex("POST", "/echo", t.signal);
  stream.end("hello");
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  assert.equal(text, "hello");
});

test("an agent from the future is refused in words, and one a version apart is linked", async (t) => {
  const listener = net.createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const stop = new AbortController();
  const onLink = (link: Link) => link.close();
  acceptLinks({ listener, installation: "one", fence: { epoch: 1, term: 1 }, log, onLink }, stop.signal);
  t.after(() => {
    stop.abort();
    listener.close();
  });
  const answerTo = async (version: number) => {
    const socket = net.connect((listener.address() as net.AddressInfo).port, "127.0.0.1");
    const hello = { drover: "link", version, role: "agent", machine: "m1", installation: null, knows: "more" };
    socket.write(`${JSON.stringify(hello)}\n`);
    const answer = await readGreeting(socket, t.signal);
    socket.destroy();
    return answer as { readonly drover: string; readonly code?: string; readonly message?: string };
  };
  for (const version of [linkVersion - 1, linkVersion, linkVersion + 1]) assert.equal((await answerTo(version)).drover, "welcome");
  for (const version of [linkVersion + 2, linkVersion + 1_000]) {
    const { drover, code, message } = await answerTo(version);
    assert.deepEqual([drover, code], ["refused", "VERSION_MISMATCH"]);
    assert.equal(message, `the agent speaks link version ${version}, this server ${linkVersion}`);
  }
});

test("an agent of another installation is refused in words", async (t) => {
  await assert.rejects(linked(t, {}, "two"), /no link/);
});
