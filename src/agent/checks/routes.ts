import type { LinkRoutes } from "#link/serve.ts";
import type { CheckOrder } from "#model/check-orders.ts";
import { DroverError } from "#model/errors.ts";
import { isCount, isListOf, isRecord, isText } from "#model/shape.ts";
import type { AgentChecks } from "./agent-checks.ts";

/** Kinds of test that an agent makes. */
const kinds: readonly unknown[] = ["http", "tcp", "icmp", "dns", "command"];
const leastEveryMs = 100;

export function checkRoutes(checks: AgentChecks): LinkRoutes {
  return {
    "PUT /checks": async (call) => {
      const body = await call.body();
      if (!isOrder(body)) throw new DroverError("REQUEST_INVALID", "the order has checks that this agent does not understand");
      checks.set(body);
      return null;
    },
    "GET /check-results": async (call) => {
      await call.lines(checks.reports(call.signal));
      return undefined;
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
