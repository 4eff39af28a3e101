import { DroverError } from "#model/errors.ts";
import type { InstanceId, RouteId } from "#model/names.ts";
import type { Endpoint, Listener, Route, RoutingPatch, RoutingTable, Target } from "#model/routing-table.ts";

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
    targets: list(route, "targets", at).map((target, i) => readTarget(target, `${at}.targets.${i}`)),
  };
}

function readListener(value: unknown, at: string): Listener {
  const listener = object(value, at);
  if (listener["kind"] === "public") {
    const path = text(listener["path"], `${at}.path`);
    if (!path.startsWith("/")) throw wrong(`${at}.path`, "a path that starts with /", path);
    return { kind: "public", host: text(listener["host"], `${at}.host`), path };
  }
  if (listener["kind"] !== "service") throw wrong(`${at}.kind`, "public or service", listener["kind"]);
  const protocol = listener["protocol"];
  if (protocol !== "http" && protocol !== "tcp") throw wrong(`${at}.protocol`, "http or tcp", protocol);
  return { kind: "service", port: port(listener, at), protocol };
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
  return {
    instance: text(endpoint["instance"], `${at}.instance`) as InstanceId,
    host: text(endpoint["host"], `${at}.host`),
    port: port(endpoint, at),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function object(value: unknown, at: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(at, "an object", value);
  return value as Fields;
}

function list(fields: Fields, key: string, at: string): readonly unknown[] {
  const value = fields[key];
  if (!Array.isArray(value)) throw wrong(`${at}.${key}`, "a list", value);
  return value;
}

/** Longest name in a table: ids are a few names of 40 letters. */
const longestText = 1_024;

function text(value: unknown, at: string): string {
  if (typeof value !== "string" || value === "" || value.length > longestText) throw wrong(at, "a text", value);
  return value;
}

function integer(fields: Fields, key: string, at: string): number {
  const value = fields[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrong(`${at}.${key}`, "an integer from 0", value);
  return value;
}

function port(fields: Fields, at: string): number {
  const value = integer(fields, "port", at);
  if (value < 1 || value > 65_535) throw wrong(`${at}.port`, "a port", value);
  return value;
}

function wrong(at: string, wanted: string, found: unknown): DroverError {
  return new DroverError(
    "REQUEST_INVALID",
    `"${at}" of a routing table is ${(JSON.stringify(found) ?? "missing").slice(0, 100)}, not ${wanted}`,
    {
      hint: "The server and the edge are of different versions.",
    },
  );
}
