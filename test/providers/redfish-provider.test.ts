import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createOutgoing } from "#host/outgoing.ts";
import { freePorts } from "#host/testing/free-ports.ts";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { Pool, RedfishPool } from "#model/pool.ts";
import { openHostBook } from "../../src/server/pools/host-book.ts";
import { type BmcOptions, openBmc } from "../../src/server/pools/redfish/bmc.ts";
import { createRedfishProvider } from "../../src/server/pools/redfish/redfish-provider.ts";
import { storedPins } from "../../src/server/pools/redfish/stored-pins.ts";
import { testProvider } from "../../src/server/pools/testing/provider-contract.ts";
import { openMemoryStore } from "../../src/server/store/memory-store.ts";
import { startRedfish, whyNoRedfish } from "../harness/redfish.ts";
import { testCertificate } from "../harness/test-certificate.ts";

const why = whyNoRedfish();
const resolve = createOutgoing(["127.0.0.1"]);
const machines = ["web-1", "web-2"] as unknown as readonly [MachineId, MachineId];
/** Waits a tenth of what it is told, as nothing here is as slow as metal. */
const clock = { ...systemClock, sleep: (ms: number, signal: AbortSignal) => systemClock.sleep(ms / 10, signal) };
const never = new AbortController().signal;

/** A pool over two systems of an emulator of its own. */
async function open() {
  const folder = await mkdtemp(join(tmpdir(), "drover-redfish-"));
  const emulator = await startRedfish(folder, 2);
  const store = openMemoryStore({ random: Math.random });
  const list = [0, 1].map((system) => ({ bmc: emulator.url(system), address: `10.0.0.${system + 1}` }));
  const pool: Pool & { readonly provider: RedfishPool } = {
    ...{ space: "default" as SpaceName, name: "web" as PoolName, machines: 2, healthy: 1, rules: null },
    provider: {
      kind: "redfish",
      machines: list,
      user: "U",
      password: "P",
      ca: null,
      env: {},
      secrets: [],
      everyMs: 1_000,
      timeoutMs: 30_000,
    },
  };
  const resets: string[] = [];
  const bmc = (url: string) => {
    const real = openBmc({ url, user: "admin", password: "canary", ca: null, pins: storedPins(store, pool), resolve, clock });
    const reset: typeof real.reset = async (to, how, signal) => {
      resets.push(`${url} ${to}`);
      await real.reset(to, how, signal);
    };
    return { power: real.power, reset };
  };
  const urlOf = (machine: MachineId) => emulator.url(Number(machine.at(-1)) - 1);
  return {
    ...{ machines, store, bmc },
    provider: createRedfishProvider({
      pool,
      book: openHostBook(
        store,
        pool,
        list.map((one) => one.bmc),
      ),
      bmc,
      clock,
    }),
    made: async (machine: MachineId) => resets.filter((one) => one === `${urlOf(machine)} on`).length,
    lose: async (machine: MachineId) => {
      await bmc(urlOf(machine)).reset("off", "forced", never);
      while ((await bmc(urlOf(machine)).power(never)) !== "off") await clock.sleep(1_000, never);
    },
    [Symbol.asyncDispose]: async () => {
      await emulator[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describe("redfish", {
  skip: why === null ? false : `Redfish was not tried against an emulator, but against recorded answers alone: ${why}`,
}, () => {
  testProvider("redfish", open);
});

/** What the emulator of sushy-tools 2.2.0 answered, and what DSP0266 says of errors. */
const recorded = {
  systems: { "@odata.id": "/redfish/v1/Systems", "Members@odata.count": 1, Members: [{ "@odata.id": "/redfish/v1/Systems/1" }] },
  system: (power: string) => ({
    "@odata.type": "#ComputerSystem.v1_1_0.ComputerSystem",
    PowerState: power,
    Actions: {
      "#ComputerSystem.Reset": {
        target: "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
        "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi", "ForceOn"],
      },
    },
  }),
  error: { error: { code: "Base.1.0.GeneralError", message: "Reset is under way" } },
};

type Reply = readonly [status: number, body: unknown];

/** A controller that answers as it is told, and what it was asked. */
async function controller(reply: (asked: string, call: IncomingMessage) => Reply, more: Partial<BmcOptions> = {}) {
  const { key, cert } = await testCertificate();
  const asked: string[] = [];
  const server = https.createServer({ key, cert }, (request, response) => {
    let text = "";
    request.on("data", (chunk) => (text += chunk));
    request.on("end", () => {
      const what = `${request.method} ${request.url}${text === "" ? "" : ` ${text}`}`;
      asked.push(what);
      const [status, body] = reply(what, request);
      response.writeHead(status, { "content-type": "application/json" }).end(body === null ? "" : JSON.stringify(body));
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const store = openMemoryStore({ random: Math.random });
  const pins = storedPins(store, { space: "default" as SpaceName, name: "web" as PoolName });
  const place = `127.0.0.1:${port}`;
  const options = {
    url: `https://${place}`,
    user: "admin",
    password: "canary-5f1e7a",
    ca: null,
    pins,
    resolve,
    clock,
    ...more,
  };
  return {
    ...{ asked, pins, place, cert, options },
    bmc: openBmc(options),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

const asRecorded =
  (power: string) =>
  (asked: string): Reply =>
    asked.startsWith("POST") ? [204, null] : [200, asked === "GET /redfish/v1/Systems" ? recorded.systems : recorded.system(power)];

test("the only system of a controller is found, switched gently, and asked with user and password", async () => {
  const seen: (string | undefined)[] = [];
  await using metal = await controller((asked, call) => {
    seen.push(call.headers.authorization);
    return asRecorded("On")(asked);
  });
  assert.equal(await metal.bmc.power(never), "on");
  await metal.bmc.reset("off", "gently", never);
  assert.equal(metal.asked.at(-1), 'POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset {"ResetType":"GracefulShutdown"}');
  await metal.bmc.reset("off", "forced", never);
  assert.match(metal.asked.at(-1) ?? "", /"ForceOff"/);
  assert.deepEqual([...new Set(seen)], [`Basic ${Buffer.from("admin:canary-5f1e7a").toString("base64")}`]);
});

test("a certificate is pinned when it is first seen, and another one gets neither user nor password", async () => {
  await using metal = await controller(asRecorded("Off"));
  assert.equal(await metal.bmc.power(never), "off");
  const asked = metal.asked.length;
  const pins = { of: () => "00:11", pin: async () => assert.fail("it is pinned already") };
  await assert.rejects(openBmc({ ...metal.options, pins }).power(never), {
    code: "PROVIDER_FAILED",
    message: /shows another certificate than the one that is pinned: [0-9A-F:]+/,
  });
  assert.equal(metal.asked.length, asked, "nothing was asked over that connection");
});

test("with an authority given its certificates are checked by that, and nothing is pinned", async () => {
  await using metal = await controller(asRecorded("On"));
  assert.equal(await openBmc({ ...metal.options, ca: metal.cert }).power(never), "on");
  assert.equal(metal.pins.of(metal.place), null);
  const { cert: other } = await testCertificate();
  await assert.rejects(openBmc({ ...metal.options, ca: other }).power(never), {
    code: "PROVIDER_FAILED",
    message: /shows a certificate that the pool's `ca` does not stand for \(\w+\)/,
  });
});

test("a refused password is tried once and told without a word of it", async () => {
  await using metal = await controller(() => [401, recorded.error]);
  await assert.rejects(metal.bmc.power(never), (error: Error) => {
    assert.match(error.message, /does not take the user and password/);
    assert.doesNotMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /canary/);
    return true;
  });
  assert.equal(metal.asked.length, 1);
});

test("a controller that is busy is asked again, and what it says is told when that does not help", async () => {
  let calls = 0;
  await using metal = await controller((asked) => (++calls === 1 ? [503, recorded.error] : asRecorded("PoweringOn")(asked)));
  assert.equal(await metal.bmc.power(never), "changing");
  await using broken = await controller((asked) => (asked.startsWith("POST") ? [400, recorded.error] : asRecorded("On")(asked)));
  await assert.rejects(broken.bmc.reset("off", "gently", never), { message: `${broken.place} answers 400: Reset is under way` });
});

test("a controller with several systems says which, and one that is no controller says so", async () => {
  const two = { Members: [{ "@odata.id": "/redfish/v1/Systems/1" }, { "@odata.id": "/redfish/v1/Systems/2" }] };
  await using several = await controller(() => [200, two]);
  await assert.rejects(several.bmc.power(never), { code: "PROVIDER_ANSWER_INVALID", message: /has 2 systems: \/redfish\/v1\/Systems\/1/ });
  await using other = await controller(() => [200, "well"]);
  await assert.rejects(other.bmc.power(never), { code: "PROVIDER_ANSWER_INVALID", message: /no JSON object/ });
  const inside = createOutgoing([]);
  await assert.rejects(openBmc({ ...other.options, resolve: inside }).power(never), { code: "ADDRESS_REFUSED" });
});

/** A pool over controllers, all of its machines made. */
async function poolOver(places: readonly string[], options: BmcOptions, timeoutMs = 30_000) {
  const store = openMemoryStore({ random: Math.random });
  const list = places.map((bmc, i) => ({ bmc, address: `10.0.0.${i + 1}` }));
  const pool: Pool & { readonly provider: RedfishPool } = {
    ...{ space: "default" as SpaceName, name: "web" as PoolName, machines: list.length, healthy: 1, rules: null },
    provider: { kind: "redfish", machines: list, user: "U", password: "P", ca: null, env: {}, secrets: [], everyMs: 1_000, timeoutMs },
  };
  const book = openHostBook(
    store,
    pool,
    list.map(({ bmc }) => bmc),
  );
  for (const [i, { bmc }] of list.entries()) await book.take(`web-${i + 1}` as MachineId, bmc);
  return createRedfishProvider({ pool, book, bmc: (url) => openBmc({ ...options, url }), clock });
}

test("a controller that does not answer is named with its remedy, and the others are known all the same", async () => {
  await using metal = await controller(asRecorded("On"));
  await using refusing = await controller(() => [401, recorded.error]);
  const [dead = 0] = await freePorts(1);
  const provider = await poolOver([metal.options.url, `https://127.0.0.1:${dead}`, refusing.options.url], metal.options);
  const found = [...(await provider.list(never))].sort((a, b) => (a.name < b.name ? -1 : 1));
  assert.deepEqual(
    found.map(({ name, power, address, problem }) => [name, power, address, problem?.message ?? null]),
    [
      ["web-1", "on", "10.0.0.1", null],
      ["web-2", "unknown", "10.0.0.2", `127.0.0.1:${dead} cannot be asked`],
      ["web-3", "unknown", "10.0.0.3", `${refusing.place} does not take the user and password`],
    ],
  );
  assert.match(found[1]?.problem?.hint ?? "", /Is that the address of its management controller\?/);
  assert.doesNotMatch(JSON.stringify(found), /canary/);
});

test("a list has an end, however many controllers hang, and those that answered before are asked before those that did not", async () => {
  await using metal = await controller(asRecorded("On"));
  // It takes every connection and says nothing.
  const sockets = new Set<net.Socket>();
  const hanging = net.createServer((socket) => sockets.add(socket));
  await new Promise<void>((listening) => hanging.listen(0, "127.0.0.1", listening));
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => hanging.close(closed));
    },
  };
  const { port } = hanging.address() as AddressInfo;
  const hangs = Array.from({ length: 40 }, () => `https://127.0.0.1:${port}`);
  // The one that answers is the last: at first it may have to wait behind those that hang.
  const provider = await poolOver([...hangs, metal.options.url], metal.options, 1_000);
  await provider.list(never);
  const found = await provider.list(never);
  assert.equal(found.length, 41);
  assert.deepEqual(
    found.filter(({ power }) => power === "on").map(({ name }) => name),
    ["web-41"],
  );
  assert.match(
    found.find(({ name }) => name === "web-1")?.problem?.message ?? "",
    /the controller of web-1 did not answer within the 1 s of the list/,
  );
});
