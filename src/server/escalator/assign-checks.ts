import type { Check, CheckTest, ExpandedCheck, Vantage } from "#model/check.ts";
import type { ProbedTest, ScheduledCheck } from "#model/check-orders.ts";
import type { SpaceName } from "#model/names.ts";
import { nameOf, type Target } from "#model/target.ts";
import type { Whereabouts } from "../pools/machine-places.ts";

/** Kinds that the server judges from what it knows, without a call. */
export type JudgedTest =
  | Extract<CheckTest, { kind: "ready" | "heartbeat" | "metric" }>
  /** What it looks at is not there, so that it fails. */
  | { readonly kind: "absent"; readonly why: string };

export interface JudgedCheck extends Pick<ExpandedCheck, "id" | "target"> {
  readonly check: Omit<Check, "test"> & { readonly test: JudgedTest };
}

/** Who makes which of a space's checks. */
export interface Assignment {
  readonly server: readonly ScheduledCheck[];
  readonly agent: readonly ScheduledCheck[];
  readonly edge: readonly ScheduledCheck[];
  readonly judged: readonly JudgedCheck[];
  /** Checks that nobody can make yet, and why. */
  readonly impossible: readonly { readonly check: ExpandedCheck; readonly why: string }[];
}

/** What checks meet: addresses of targets, and Drover's own edge. */
export interface CheckPlaces {
  readonly space: SpaceName;
  /** Of a target that is somewhere, such as a machine of a pool; null for any other. */
  readonly whereIs: (target: Target) => Whereabouts | null;
  readonly edgePorts: { readonly http: number; readonly https: number };
  /** Whether requests for this host are the edge's to answer. */
  readonly isEdgeHost: (host: string) => boolean;
}

export function assignChecks(checks: Iterable<ExpandedCheck>, places: CheckPlaces): Assignment {
  const server: ScheduledCheck[] = [];
  const agent: ScheduledCheck[] = [];
  const edge: ScheduledCheck[] = [];
  const judged: JudgedCheck[] = [];
  const impossible: Assignment["impossible"][number][] = [];
  for (const expanded of checks) {
    const { id, check, target } = expanded;
    const { test } = check;
    switch (test.kind) {
      case "ready":
      case "metric":
      case "heartbeat": {
        const where = places.whereIs(target);
        if (where?.kind === "silent") impossible.push({ check: expanded, why: where.why });
        else if (where?.kind !== "unknown") judged.push({ ...expanded, check: { ...check, test } });
        break;
      }
      case "log": {
        const { everyMs, timeoutMs } = check;
        server.push({
          id,
          test: { ...test, of: { space: places.space, target } },
          target: nameOf(target),
          address: null,
          everyMs,
          timeoutMs,
        });
        break;
      }
      case "command":
      case "http":
      case "tcp":
      case "icmp":
      case "dns": {
        const placed = test.kind === "http" ? placeUrl({ ...test, url: test.url.replaceAll("{target}", nameOf(target)) }, places) : test;
        if (placed === null) {
          impossible.push({ check: expanded, why: "its host is routed by Drover's edge, which does not listen on its port" });
          break;
        }
        const where = places.whereIs(target);
        const isThere = (test.kind === "tcp" || test.kind === "icmp") && test.host === null;
        if (isThere && where !== null && where.kind !== "at") {
          if (where.kind === "absent") judged.push({ ...expanded, check: { ...check, test: where } });
          else if (where.kind === "silent") impossible.push({ check: expanded, why: where.why });
          break;
        }
        const scheduled: ScheduledCheck = {
          id,
          test: placed,
          target: nameOf(target),
          address: where?.kind === "at" ? where.address : null,
          everyMs: check.everyMs,
          timeoutMs: check.timeoutMs,
        };
        const from = vantagesOf(check);
        if (from.includes("server")) server.push(scheduled);
        if (from.includes("agent")) agent.push(scheduled);
        if (from.includes("edge")) edge.push(scheduled);
        break;
      }
      default:
        test satisfies never;
    }
  }
  return { server, agent, edge, judged, impossible };
}

/** Users' commands never run in the server. */
function vantagesOf({ test, from }: Check): readonly Vantage[] {
  return test.kind === "command" ? ["agent"] : from;
}

/**
 * A host that the edge routes is called at the edge, at its port when the URL names none. At any other port of this machine something else would
 * answer, such as Drover's own API: null.
 */
function placeUrl(test: ProbedTest & { readonly kind: "http" }, { edgePorts, isEdgeHost }: CheckPlaces): ProbedTest | null {
  const url = URL.parse(test.url);
  if (url === null || !isEdgeHost(url.hostname)) return test;
  const port = url.protocol === "https:" ? edgePorts.https : edgePorts.http;
  if (url.port === "") url.port = String(port);
  else if (Number(url.port) !== port) return null;
  return { ...test, url: url.href };
}
