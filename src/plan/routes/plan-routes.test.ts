import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ProcessName, RouteId } from "#model/names.ts";
import type { Route } from "#model/routing-table.ts";
import { app, instance, plainDeploy, release, rolloutOf, t0, web, workload } from "../testing/planner-world.ts";
import { diffRoutes, winner } from "./claims.ts";
import { planRoutes, type RoutesInput, serviceRouteId } from "./plan-routes.ts";

const canary = { ...plainDeploy, strategy: "canary" } as const;

function routesInput(more: Partial<RoutesInput> = {}): RoutesInput {
  return {
    app: app({ instances: { [web]: 2 } }),
    releases: new Map([1, 2].map((number) => [number, release(number, "active")])),
    rollout: null,
    observed: [],
    neededPorts: new Set(),
    entryOf: () => null,
    ...more,
  };
}

/** `1×1(2)`: release 1 with weight 1 and two endpoints. */
function targets(input: RoutesInput): string {
  return (planRoutes(input)[0]?.targets ?? [])
    .map(({ release, weight, endpoints }) => `${release}×${weight}(${endpoints.length})`)
    .join(" ");
}

const old2new1 = [workload(1, { ready: 2 }), workload(2, { ready: 1 })];

const cases: readonly (readonly [sentence: string, input: RoutesInput, expected: string])[] = [
  ["a route without a ready instance stays, with no targets", routesInput({ observed: [workload(1, { starting: 2, backoff: 1 })] }), ""],
  [
    "only ready instances that stay are in it",
    routesInput({ observed: [workload(1, { ready: 2, draining: 1, running: 1, stopping: 1 })] }),
    "1×1(2)",
  ],
  ["during a rolling deploy each instance takes the same", routesInput({ observed: old2new1 }), "1×2(2) 2×1(1)"],
  ["once the target is whole it takes all", routesInput({ observed: [workload(1, { ready: 1 }), workload(2, { ready: 2 })] }), "2×1(2)"],
  [
    "blue-green sends nothing to the new release until it is active",
    routesInput({
      app: app({ instances: { [web]: 2 }, deploy: { ...plainDeploy, strategy: "blue-green" } }),
      rollout: rolloutOf(2),
      observed: old2new1,
    }),
    "1×1(2)",
  ],
  [
    "and everything after that",
    routesInput({
      app: app({ instances: { [web]: 2 }, active: 2, deploy: { ...plainDeploy, strategy: "blue-green" } }),
      observed: old2new1,
    }),
    "2×1(1)",
  ],
  [
    "a canary gets nothing before its step is ready",
    routesInput({ app: app({ instances: { [web]: 2 }, deploy: canary }), rollout: rolloutOf(2), observed: old2new1 }),
    "1×1(2)",
  ],
  [
    "then its share",
    routesInput({
      app: app({ instances: { [web]: 2 }, deploy: canary }),
      rollout: rolloutOf(2, { stepReadyAtMs: t0 }),
      observed: old2new1,
    }),
    "1×900(2) 2×100(1)",
  ],
  [
    "which it keeps while the next step gets ready",
    routesInput({ app: app({ instances: { [web]: 2 }, deploy: canary }), rollout: rolloutOf(2, { step: 1 }), observed: old2new1 }),
    "1×900(2) 2×100(1)",
  ],
  [
    "after an abort the active release takes all at once",
    routesInput({ app: app({ instances: { [web]: 2 }, target: 1, deploy: canary }), observed: old2new1 }),
    "1×1(2)",
  ],
  [
    "a canary without its active release takes all rather than nobody",
    routesInput({ app: app({ instances: { [web]: 2 }, deploy: canary }), rollout: rolloutOf(2), observed: [workload(2, { ready: 1 })] }),
    "2×1(1)",
  ],
  [
    "an instance without a port is not routed",
    routesInput({ observed: [workload(1, {}, { count: 1, instances: [instance(1, "ready", { port: null })] })] }),
    "",
  ],
];

for (const [sentence, given, expected] of cases) test(sentence, () => assert.equal(targets(given), expected));

const db = "db" as ProcessName;
const servicePorts = { [db]: 31_000, [web]: 30_000 };

test("service addresses follow the public routes, with the protocol of the release", () => {
  const releases = new Map([[1, release(1, "active", { process: { protocol: "tcp" }, processes: ["web", "db"] })]]);
  const routes = planRoutes(routesInput({ app: app({ target: 1, servicePorts }), releases, neededPorts: new Set([30_000, 31_000]) }));
  assert.deepEqual(
    routes.map(({ listener }) => listener).filter(({ kind }) => kind !== "name"),
    [
      { kind: "public", host: "a.s.localhost", path: "/" },
      { kind: "service", port: 31_000, protocol: "tcp" },
      { kind: "service", port: 30_000, protocol: "tcp" },
    ],
  );
});

test("a service address that nobody needs is closed, unless the app keeps it open", () => {
  const open = (more: Partial<RoutesInput["app"]>, ...needed: number[]) =>
    planRoutes(routesInput({ app: app({ routes: [], servicePorts, ...more }), neededPorts: new Set(needed) }))
      .filter(({ listener }) => listener.kind === "service")
      .map(({ process }) => process);
  assert.deepEqual(open({}), []);
  assert.deepEqual(open({}, 30_000), [web]);
  assert.deepEqual(open({ openAddresses: [db] }), [db]);
  assert.deepEqual(open({ openAddresses: [db] }, 30_000, 31_000), [db, web]);
  assert.deepEqual(open({ openAddresses: [db], destroying: true }, 30_000), []);
});

test("every process with a port has a name, and one of them has the app's too", () => {
  const named = (ports: Readonly<Record<string, number>>, ...needed: number[]) =>
    planRoutes(
      routesInput({
        app: app({ routes: [], servicePorts: ports }),
        neededPorts: new Set(needed),
        observed: [workload(1, { ready: 2, starting: 1 })],
      }),
    ).flatMap(({ listener, targets: found }) =>
      listener.kind === "name"
        ? [`${listener.name}${listener.isMain ? "!" : ""} ${listener.servicePort ?? "closed"} ${found[0]?.endpoints.length ?? 0}`]
        : [],
    );
  assert.deepEqual(named(servicePorts, 30_000), ["db.a.s closed 0", "web.a.s! 30000 2"]);
  assert.deepEqual(named({ queue: 31_001, db: 31_000 }), ["db.a.s! closed 0", "queue.a.s closed 0"]);
  assert.deepEqual(named({}), []);
});

test("the route of a service address has the same id whether it is open or not", () => {
  const one = app({ routes: [], servicePorts });
  const [route] = planRoutes(routesInput({ app: one, neededPorts: new Set([30_000]) }));
  assert.equal(serviceRouteId(one, 30_000), route?.id);
  assert.equal(serviceRouteId(one, 29_999), null);
});

test("a destroyed app has no routes", () =>
  assert.deepEqual(planRoutes(routesInput({ app: app({ destroying: true }), observed: old2new1 })), []));

test("of two claims to one place the older app's wins, whichever comes first", () => {
  const claim = (name: string, appCreatedAtMs: number) => ({ route: { id: name as RouteId } as Route, appCreatedAtMs });
  assert.equal(winner([claim("b", 1), claim("a", 2)])?.route.id, "b");
  assert.equal(winner([claim("a", 2), claim("b", 1)])?.route.id, "b");
  assert.equal(winner([claim("b", 1), claim("a", 1)])?.route.id, "a");
  assert.equal(winner([]), null);
});

test("a difference applied to what was gives what is to be", () => {
  const ids = fc.constantFrom("a", "b", "c", "d");
  const tables = fc.array(fc.tuple(ids, fc.integer({ min: 1, max: 3 }))).map((entries) => {
    const table = new Map<RouteId, Route>();
    for (const [id, port] of entries)
      table.set(id as RouteId, {
        id: id as RouteId,
        space: "s",
        app: "a",
        process: "web",
        listener: { kind: "service", port, protocol: "tcp" },
        targets: [],
      });
    return table;
  });
  fc.assert(
    fc.property(tables, tables, (before, after) => {
      const all = new Set([...before.keys(), ...after.keys()]);
      const { set, remove } = diffRoutes(all, before, after);
      const result = new Map(before);
      for (const id of remove) result.delete(id);
      for (const route of set) result.set(route.id, route);
      assert.deepEqual(new Map([...result].sort()), new Map([...after].sort()));
      assert.deepEqual(diffRoutes(all, result, after), { set: [], remove: [] });
    }),
  );
});

test("where traffic between machines is encrypted, instances are reached by their machine's entry", () => {
  const entry = { name: "m1.machine.drover", port: 7_375 };
  const [found] = planRoutes(routesInput({ observed: [workload(1, { ready: 1 })], entryOf: () => entry }));
  assert.deepEqual(
    found?.targets.flatMap(({ endpoints }) => endpoints.map((one) => one.entry)),
    [entry],
  );
});
