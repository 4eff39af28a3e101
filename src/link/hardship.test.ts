import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { acceptLinks } from "./accept.ts";
import type { Link } from "./caller.ts";
import { type LinkRoutes, serveLink } from "./serve.ts";

const log = createLog({ print: () => {}, nowMs: () => 0 });

interface Hardship {
  readonly routes?: LinkRoutes;
  readonly clock?: Clock;
  /** Carries what the dialler and the server send each other. */
  readonly carry?: (dialled: net.Socket, server: net.Socket) => void;
  readonly onLink: (link: Link) => void;
}

/** A link over a network that does to it what `carry` says. */
async function open(context: TestContext, { routes = {}, clock = systemClock, carry, onLink }: Hardship): Promise<void> {
  const stop = new AbortController();
  const listener = net.createServer().listen(0, "127.0.0.1");
  const network = net.createServer().listen(0, "127.0.0.1");
  await Promise.all([once(listener, "listening"), once(network, "listening")]);
  const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;
  network.on("connection", (dialled) => {
    const server = net.connect(portOf(listener), "127.0.0.1");
    for (const [one, other] of [
      [dialled, server],
      [server, dialled],
    ] as const) {
      one.setNoDelay(true);
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
    if (carry !== undefined) return carry(dialled, server);
    dialled.pipe(server);
    server.pipe(dialled);
  });
  acceptLinks({ listener, installation: "one", fence: { epoch: 1, term: 1 }, log, onLink }, stop.signal);
  const connect = async () => {
    const socket = net.connect(portOf(network), "127.0.0.1");
    await once(socket, "connect");
    return socket;
  };
  const hello = () => ({ role: "agent", machine: "m1", installation: null }) as const;
  const serving = serveLink({ connect, hello, admit: async () => {}, routes, clock, random: () => 1, log }, stop.signal);
  context.after(async () => {
    stop.abort();
    for (const server of [listener, network]) server.close();
    await serving;
  });
}

test("a call over a link that delivers single bytes is answered as any other", async (t) => {
  const linked = Promise.withResolvers<Link>();
  const byBytes = (from: net.Socket, to: net.Socket) =>
    from.on("data", (chunk) => {
      for (const byte of chunk) to.write(Uint8Array.of(byte));
    });
  await open(t, {
    routes: { "POST /echo": async (call) => ({ echo: await call.body() }) },
    carry: (dialled, server) => {
      byBytes(dialled, server);
      byBytes(server, dialled);
    },
    onLink: linked.resolve,
  });
  const link = await linked.promise;
  assert.deepEqual(await link.call("POST", "/echo", t.signal, { body: { text: "é".repeat(500) } }), { echo: { text: "é".repeat(500) } });
});

test("a link that is reset in the middle of a call fails that call, and the next link takes the next one", async (t) => {
  const links: Link[] = [];
  const second = Promise.withResolvers<Link>();
  const carried: net.Socket[] = [];
  let calls = 0;
  await open(t, {
    routes: {
      "GET /answer": async () => {
        if (++calls === 1) for (const socket of carried) socket.resetAndDestroy();
        return { answer: 42 };
      },
    },
    carry: (dialled, server) => {
      if (carried.length === 0) carried.push(dialled, server);
      dialled.pipe(server);
      server.pipe(dialled);
    },
    onLink: (link) => {
      if (links.push(link) === 2) second.resolve(link);
      else
        void link.call("GET", "/answer", t.signal).then(
          () => assert.fail("it was answered"),
          () => undefined,
        );
    },
  });
  const link = await second.promise;
  assert.ok(links[0]?.signal.aborted, "the first is gone");
  assert.deepEqual(await link.call("GET", "/answer", t.signal), { answer: 42 });
  assert.equal(calls, 2);
});

for (const [what, heldMs, wanted] of [
  ["agents whose link breaks at once, again and again, come back ever more slowly", 0, [100, 200, 400, 500, 500, 500]],
  ["agents whose link has held for a while come back at once when it breaks", 60_000, [100, 100, 100, 100, 100, 100]],
] as const)
  test(what, async (t) => {
    const waits: number[] = [];
    const enough = Promise.withResolvers<void>();
    let nowMs = 0;
    const clock: Clock = {
      ...systemClock,
      monotonicMs: () => (nowMs += heldMs),
      sleep: async (ms) => {
        waits.push(ms);
        if (waits.length === wanted.length) enough.resolve();
      },
    };
    await open(t, { clock, onLink: (link) => link.close() });
    await enough.promise;
    assert.deepEqual(waits.slice(0, wanted.length), wanted);
  });
