import type { LinkHandler, LinkRoutes } from "#link/serve.ts";
import type { CheckOrder } from "#model/check-orders.ts";
import { DroverError } from "#model/errors.ts";
import type { CheckId } from "#model/names.ts";
import { isCount, isListOf, isRecord, isText } from "#model/shape.ts";
import type { OrderedChecks } from "./ordered-checks.ts";

/** Kinds of test that an agent or an edge makes; what needs more than it has, it says of each check. */
const kinds: readonly unknown[] = ["http", "tcp", "icmp", "dns", "command"];
const leastEveryMs = 100;
const paths = ["PUT /checks", "GET /check-results", "POST /checks/run"] as const;

/** What an agent or edge serves about checks. Made when the first of these is called: without checks nothing of it is loaded. */
export function lazyCheckRoutes(make: () => Promise<LinkRoutes>): LinkRoutes {
  let made: Promise<LinkRoutes> | null = null;
  const routes = () => {
    // One that failed is tried again by the next call.
    made ??= make().catch((error: unknown) => {
      made = null;
      throw error;
    });
    return made;
  };
  return Object.fromEntries(paths.map((path) => [path, async (call) => (await routes())[path]?.(call)]));
}

export function checkRoutes(checks: OrderedChecks): Readonly<Record<(typeof paths)[number], LinkHandler>> {
  return {
    "PUT /checks": async (call) => {
      const body = await call.body();
      if (!isOrder(body)) throw new DroverError("REQUEST_INVALID", "the order has checks that are not understood here");
      checks.set(body);
      return null;
    },
    "GET /check-results": async (call) => {
      await call.lines(checks.reports(call.signal));
      return undefined;
    },
    "POST /checks/run": async (call) => {
      const body = await call.body();
      if (!isRecord(body) || !isText(body["check"])) throw new DroverError("REQUEST_INVALID", "the order names no check");
      return { finding: await checks.once(body["check"] as CheckId, call.signal) };
    },
  };
}

function isOrder(it: unknown): it is CheckOrder {
  return (
    isRecord(it) && isListOf(it["checks"], isCheck) && isListOf(it["edgeHosts"], isText) && (it["edge"] === null || isRecord(it["edge"]))
  );
}

function isCheck(it: unknown): it is CheckOrder["checks"][number] {
  return (
    isRecord(it) &&
    isText(it["id"]) &&
    isText(it["target"]) &&
    (it["address"] === null || isText(it["address"])) &&
    isCount(it["everyMs"]) &&
    it["everyMs"] >= leastEveryMs &&
    isCount(it["timeoutMs"]) &&
    isRecord(it["test"]) &&
    kinds.includes(it["test"]["kind"]) &&
    // A command is the one that would do harm if it were read wrongly; the others are read by their runners alone.
    (it["test"]["kind"] !== "command" || (isText(it["test"]["run"]) && isRecord(it["test"]["env"])))
  );
}
