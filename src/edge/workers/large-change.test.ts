import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteId } from "#model/names.ts";
import { routeTo } from "../router/embedded/testing/edge.ts";
import { isLarge, LargeChange, routesTogether } from "./large-change.ts";

const ids = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}` as RouteId);
const routes = (all: readonly RouteId[]) => all.map((id) => ({ ...routeTo(1), id }));

test("a large change comes in parts, what is new before what goes, and what newer changes are about is left out", () => {
  const set = routes(ids("set", 2 * routesTogether + 1));
  const remove = ids("gone", routesTogether + 1);
  const change = new LargeChange({ set, remove });
  assert.ok(isLarge({ set, remove }) && !isLarge({ set: [], remove: [...remove].slice(1) }));
  const parts = change.parts();
  const first = parts.next().value;
  assert.deepEqual(first, { set: set.slice(0, routesTogether), remove: [] });
  change.overtake({
    set: routes([`set${routesTogether + 10}` as RouteId]),
    remove: ["gone0" as RouteId, `set${2 * routesTogether}` as RouteId],
  });
  const rest = [...parts];
  assert.deepEqual(
    rest.map((part) => [part.set.length, part.remove.length]),
    [
      [routesTogether - 1, 0],
      [0, routesTogether - 1],
      [0, 1],
    ],
  );
  assert.ok(
    !rest.some((part) => part.set.some(({ id }) => id === `set${routesTogether + 10}`) || part.remove.includes("gone0" as RouteId)),
  );
});
