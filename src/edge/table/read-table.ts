import type { InstanceId, RouteId } from "#model/names.ts";
import type { Endpoint, Listener, RequestConditions, Route, RoutingPatch, RoutingTable, Target } from "#model/routing-table.ts";
import { readPolicy } from "./read-policy.ts";
import { flag, integer, list, object, oneOf, port, text, wrong } from "./read-values.ts";

/*
 * By hand and not by schema: the edge starts without loading a library for it, and 50,000 endpoints have to be read between two requests.
 * Unknown keys are passed over, so that a newer server may say more.
 */

/** @throws {DroverError} REQUEST_INVALID, with the place that does not fit. */
export function readTable(value: unknown): RoutingTable {
  const table = object(value, "table");
  return {
    epoch: integer(table, "epoch", "table"),
    revision: integer(table, "revision", "table"),
    routes: list(table, "routes", "table").map(readRoute),
  };
}

/** @throws {DroverError} REQUEST_INVALID, with the place that does not fit. */
export function readPatch(value: unknown): RoutingPatch {
  const patch = object(value, "patch");
  return {
    epoch: integer(patch, "epoch", "patch"),
    from: integer(patch, "from", "patch"),
    revision: integer(patch, "revision", "patch"),
    set: list(patch, "set", "patch").map(readRoute),
    remove: list(patch, "remove", "patch").map((id, i) => text(id, `patch.remove.${i}`) as RouteId),
  };
}

function readRoute(value: unknown, index: number): Route {
  const at = `routes.${index}`;
  const route = object(value, at);
  return {
    id: text(route["id"], `${at}.id`) as RouteId,
    space: text(route["space"], `${at}.space`),
    app: text(route["app"], `${at}.app`),
    process: text(route["process"], `${at}.process`),
    listener: readListener(route["listener"], `${at}.listener`),
    ...(route["policy"] === undefined ? {} : { policy: readPolicy(route["policy"], `${at}.policy`) }),
    ...(route["wakes"] === undefined ? {} : { wakes: { holdMs: integer(object(route["wakes"], `${at}.wakes`), "holdMs", `${at}.wakes`) } }),
    targets: list(route, "targets", at).map((target, i) => readTarget(target, `${at}.targets.${i}`)),
  };
}

function readListener(value: unknown, at: string): Listener {
  const listener = object(value, at);
  const kind = oneOf(listener, "kind", at, ["public", "passthrough", "port", "service", "name"]);
  switch (kind) {
    case "public": {
      const path = text(listener["path"], `${at}.path`);
      if (!path.startsWith("/")) throw wrong(`${at}.path`, "a path that starts with /", path);
      const when = listener["when"] === undefined ? {} : { when: readConditions(listener["when"], `${at}.when`) };
      return { kind, host: text(listener["host"], `${at}.host`), path, ...when };
    }
    case "passthrough":
      return { kind, host: text(listener["host"], `${at}.host`) };
    case "port":
      return { kind, port: port(listener, at), protocol: oneOf(listener, "protocol", at, ["tcp", "udp"]) };
    case "service":
      return { kind, port: port(listener, at), protocol: oneOf(listener, "protocol", at, ["http", "tcp"]) };
    case "name":
      return {
        kind,
        name: text(listener["name"], `${at}.name`),
        isMain: flag(listener, "isMain", at),
        protocol: oneOf(listener, "protocol", at, ["http", "tcp"]),
        servicePort: listener["servicePort"] === null ? null : port({ port: listener["servicePort"] }, at),
      };
    default:
      return kind satisfies never;
  }
}

function readConditions(value: unknown, at: string): RequestConditions {
  const when = object(value, at);
  const { headers, methods } = when;
  return {
    ...(headers === undefined
      ? {}
      : {
          headers: Object.fromEntries(
            Object.entries(object(headers, `${at}.headers`)).map(([name, wanted]) => [
              text(name, `${at}.headers`),
              wanted === null ? null : text(wanted, `${at}.headers.${name}`),
            ]),
          ),
        }),
    ...(methods === undefined ? {} : { methods: list(when, "methods", at).map((method, i) => text(method, `${at}.methods.${i}`)) }),
  };
}

function readTarget(value: unknown, at: string): Target {
  const target = object(value, at);
  const weight = target["weight"];
  if (typeof weight !== "number" || !Number.isFinite(weight) || weight < 0) throw wrong(`${at}.weight`, "a number from 0", weight);
  return {
    release: integer(target, "release", at),
    weight,
    endpoints: list(target, "endpoints", at).map((endpoint, i) => readEndpoint(endpoint, `${at}.endpoints.${i}`)),
  };
}

function readEndpoint(value: unknown, at: string): Endpoint {
  const endpoint = object(value, at);
  const entry = endpoint["entry"];
  return {
    instance: text(endpoint["instance"], `${at}.instance`) as InstanceId,
    host: text(endpoint["host"], `${at}.host`),
    port: port(endpoint, at),
    ...(entry === undefined ? {} : { entry: readEntry(entry, `${at}.entry`) }),
  };
}

function readEntry(value: unknown, at: string): NonNullable<Endpoint["entry"]> {
  const entry = object(value, at);
  return { name: text(entry["name"], `${at}.name`), port: port(entry, at) };
}
