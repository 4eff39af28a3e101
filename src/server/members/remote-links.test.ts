import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { connect as plainConnect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import type { Link } from "#link/caller.ts";
import { dialMember } from "#link/secure/dial.ts";
import { joinServer } from "#link/secure/join.ts";
import { type Membership, openLinkKey, readMembership, renewMembership } from "#link/secure/membership.ts";
import { type LinkRoutes, serveLink } from "#link/serve.ts";
import type { Clock } from "#model/clock.ts";
import type { MachineId } from "#model/names.ts";
import type { EventLog } from "../events/event-log.ts";
import { openMemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { openRemoteLinks, type RemoteLinks } from "./remote-links.ts";

const dayMs = 86_400_000;
const m2 = "m2" as MachineId;
const log = createLog({ print: () => {}, nowMs: () => 0 });
const events = { append: (event: unknown) => event } as unknown as EventLog;

/** A server's side of the links, on its own store, authority and port. */
class World implements AsyncDisposable {
  readonly folder: string;
  readonly store: Store;
  readonly links: Link[] = [];
  readonly clock: Clock & { aheadMs: number };
  readonly #stop = new AbortController();
  #remote: RemoteLinks | null = null;
  #onLink: ((link: Link) => void) | null = null;

  private constructor(folder: string) {
    this.folder = folder;
    this.store = openMemoryStore({ random: Math.random });
    this.clock = { ...systemClock, aheadMs: 0, nowMs: () => systemClock.nowMs() + this.clock.aheadMs };
  }

  static async open(context: TestContext): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), "drover-links-")));
    context.after(() => world[Symbol.asyncDispose]());
    const { store, clock, folder } = world;
    const { installation, epoch, term } = store;
    const options = { store, events, clock, folder, installation, fence: { epoch, term }, random: Math.random, log };
    world.#remote = await openRemoteLinks({ ...options, address: { host: "127.0.0.1", port: 0 } }, world.#stop.signal);
    world.#remote.accept((link) => {
      world.links.push(link);
      world.#onLink?.(link);
    }, world.#stop.signal);
    return world;
  }

  get remote(): RemoteLinks {
    assert.ok(this.#remote);
    return this.#remote;
  }

  async token(machine = m2): Promise<string> {
    return (await this.remote.createToken(machine, {})).token;
  }

  /** Joins as a machine whose things are in a folder of that name. */
  async join(token: string, folder: string = m2, machine: string | null = null): Promise<Membership> {
    return joinServer({ folder: join(this.folder, folder), address: this.remote.address, token, machine }, AbortSignal.timeout(10_000));
  }

  /** Resolves with the link once the machine is linked; rejects with what it was refused with. */
  async link(membership: Membership, folder: string = m2, routes: LinkRoutes = {}, machine = membership.machine): Promise<Link> {
    const key = await openLinkKey(join(this.folder, folder));
    const linked = new Promise<Link>((resolve) => (this.#onLink = resolve));
    const refused = new Promise<never>((_, reject) => {
      const told = createLog({
        print: (line) => /not linked/.test(line) && reject(new Error(JSON.parse(line).error)),
        nowMs: () => 0,
        least: "debug",
      });
      void serveLink(
        {
          connect: (signal) => dialMember(membership, key, signal),
          hello: () => ({ role: "agent", machine, installation: null }),
          admit: async () => {},
          routes,
          clock: systemClock,
          random: () => 1,
          log: told,
        },
        this.#stop.signal,
      );
    });
    return Promise.race([linked, refused]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const link of this.links) link.close();
    await this.#remote?.stopped();
    await this.store.close();
    await rm(this.folder, { recursive: true });
  }
}

test("a machine joins with a token, is linked by its certificate, and is called over that link", async (t) => {
  const world = await World.open(t);
  const membership = await world.join(await world.token());
  assert.deepEqual([membership.machine, membership.installation], ["m2", world.store.installation]);
  const link = await world.link(membership, m2, { "GET /who": async () => ({ name: "m2" }) });
  assert.deepEqual(link.identity, { role: "agent", machine: "m2", isLeaving: false, isRemote: true });
  assert.deepEqual(await link.call("GET", "/who", t.signal), { name: "m2" });
});

test("a server whose clock is off by a day takes machines, and one that is off by three days is told of in words", async (t) => {
  for (const aheadMs of [-dayMs, dayMs]) {
    const world = await World.open(t);
    world.clock.aheadMs = aheadMs;
    await world.link(await world.join(await world.token()));
  }
  const world = await World.open(t);
  world.clock.aheadMs = 3 * dayMs;
  const membership = await world.join(await world.token());
  await assert.rejects(world.link(membership), /the machine's certificate is valid from .* to .*, and not now, at /);
});

test("a token is good once", async (t) => {
  const world = await World.open(t);
  const token = await world.token();
  await world.join(token);
  await assert.rejects(world.join(token, "another"), { code: "JOIN_REFUSED", message: "the token was used already" });
});

test("a machine that did not hear the answer joins with the same token and key again", async (t) => {
  const world = await World.open(t);
  const token = await world.token();
  await world.join(token);
  assert.equal((await world.join(token)).machine, "m2");
});

test("a token that has expired is refused", async (t) => {
  const world = await World.open(t);
  const token = await world.token();
  world.clock.aheadMs = 15 * 60_000;
  await assert.rejects(world.join(token), { code: "JOIN_REFUSED", message: /^the token has expired at / });
});

test("a token is for one name", async (t) => {
  const world = await World.open(t);
  const token = await world.token();
  await assert.rejects(world.join(token, "m3", "m3"), { code: "JOIN_REFUSED", message: 'the token is for "m2", not for "m3"' });
  await assert.rejects(world.join(token.replace("_m2_", "_m3_"), "m3"), { code: "JOIN_REFUSED" });
});

test("a token that was made up, or of which a part is missing, is refused", async (t) => {
  const world = await World.open(t);
  const token = await world.token();
  await assert.rejects(world.join(token.slice(0, -3)), { code: "JOIN_REFUSED", message: /no token/ });
  await assert.rejects(world.join("drv_join_m2"), { code: "JOIN_REFUSED", message: /no token/ });
});

test("the token is not shown to a server of another authority", async (t) => {
  const [one, other] = [await World.open(t), await World.open(t)];
  const token = await one.token();
  await assert.rejects(other.join(token), { code: "CERTIFICATE_REFUSED", message: /is not the server that the token is of/ });
  assert.equal((await one.join(token)).machine, "m2");
});

test("a certificate of another authority is refused at both ends", async (t) => {
  const [one, other] = [await World.open(t), await World.open(t)];
  const own = await one.join(await one.token());
  const foreign = await other.join(await other.token());
  await cp(join(other.folder, m2), join(one.folder, "foreign"), { recursive: true });
  await assert.rejects(one.link({ ...foreign, address: own.address }, "foreign"), /certified by another authority/);
  const mixed = { ...foreign, address: own.address, authority: own.authority, installation: own.installation };
  await assert.rejects(one.link(mixed, "foreign"), /not of this server's authority/);
});

test("a machine is who its certificate says, whatever it says of itself", async (t) => {
  const world = await World.open(t);
  const membership = await world.join(await world.token());
  await world.join(await world.token("m3" as MachineId), "m3");
  await assert.rejects(world.link(membership, m2, {}, "m3"), /says that it is of "m3", its certificate says otherwise/);
});

test("a machine that was removed loses its link, and its certificate is worth nothing", async (t) => {
  const world = await World.open(t);
  const membership = await world.join(await world.token());
  const link = await world.link(membership);
  const gone = once(link.signal, "abort");
  await world.remote.remove(m2);
  await gone;
  await assert.rejects(world.link(membership), /no member any more/);
  await assert.rejects(world.remote.remove(m2), { code: "MACHINE_NOT_FOUND" });
});

test("when another machine joins under the name, the certificate of the first is worth nothing", async (t) => {
  const world = await World.open(t);
  const first = await world.join(await world.token());
  const second = await world.join(await world.token(), "another");
  await assert.rejects(world.link(first), /has joined anew with another key/);
  assert.equal((await world.link(second, "another")).identity.machine, "m2");
});

test("a machine whose link is old enough gets its next certificate by itself, for the key that it has", async (t) => {
  const world = await World.open(t);
  const membership = await world.join(await world.token());
  world.clock.aheadMs = 20 * dayMs;
  const renewed = new Promise<string>((resolve) => {
    const routes: LinkRoutes = {
      "PUT /certificate": async (call) => {
        const { certificate } = (await call.body()) as { certificate: string };
        await renewMembership(join(world.folder, m2), certificate);
        resolve(certificate);
        return null;
      },
    };
    void world.link(membership, m2, routes);
  });
  const certificate = await renewed;
  const kept = await readMembership(join(world.folder, m2));
  assert.equal(kept?.certificate, certificate);
  assert.notEqual(certificate, membership.certificate);
  await assert.rejects(renewMembership(join(world.folder, m2), membership.authority), { code: "CERTIFICATE_REFUSED" });
});

test("a connection that speaks no TLS, or greets with nothing that fits, holds nothing", async (t) => {
  const world = await World.open(t);
  const { port } = new URL(`tls://${world.remote.address}`);
  const socket = plainConnect(Number(port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\n\r\n");
  await once(socket, "close");
  assert.deepEqual(world.links, []);
});
