import { isIP, isIPv4 } from "node:net";
import { type InstanceId, type RouteId, shortInstanceId } from "#model/names.ts";
import type { Endpoint, Route } from "#model/routing-table.ts";
import type { TableChange } from "../router/router.ts";
import { types } from "./codes.ts";
import type { Labels } from "./names.ts";
import {
  addressRecord,
  ipv6Bytes,
  pointerRecord,
  type RecordData,
  type ServiceRecord,
  serverRecord,
  serviceRecord,
  startOfAuthority,
  textRecord,
} from "./records.ts";

/** The last label of every name of the platform. */
export const zoneLabel = "drover";
/**
 * How long anybody may keep what the zone says. One second, because instances come and go: with it an answer from a cache in between is at
 * most a second old.
 */
export const zoneTtlS = 1;

export type Lookup =
  /** Any order is right, so it changes from answer to answer. `app` says which app's changes end the answer's truth; null: it cannot be kept. */
  | { readonly kind: "found"; readonly records: readonly (RecordData | ServiceRecord)[]; readonly app: string | null }
  /** The name is there, with other records or with names below it. */
  | { readonly kind: "empty"; readonly app: string | null }
  | { readonly kind: "unknown" }
  /** Not a name of the zone. */
  | { readonly kind: "outside" };

const outside = { kind: "outside" } as const;
const unknown = { kind: "unknown" } as const;

/**
 * What the platform's zone says, made from the routes that are names: one for each process that has a port, with its ready instances.
 *
 * - `app.space.drover` is the process that `needs` leads to, `process.app.space.drover` that one;
 * - `_process._tcp.app.space.drover` has the same SRV records (RFC 2782);
 * - `7-k3f9b.process.app.space.drover` is an instance: release and suffix, the target of SRV records.
 */
export class Zone {
  readonly #server: RecordData | null;
  readonly #routes = new Map<RouteId, Route>();
  /** By `app.space`, then by process. */
  readonly #apps = new Map<string, Map<string, Route>>();
  /** Number of apps by space: a space without any has no name. */
  readonly #spaces = new Map<string, number>();
  /** Instances by the name that their address has in the reverse tree. */
  readonly #reverse = new Map<string, Map<InstanceId, Labels>>();
  #serial = 0;

  /** @param serverAddress what `ns.drover` leads to; null where it is not one address. */
  constructor(serverAddress: string | null) {
    this.#server = serverAddress === null ? null : addressRecord(serverAddress);
  }

  /** Takes over a change of the table, and says which apps' answers are no longer true. */
  apply(change: TableChange): ReadonlySet<string> {
    const changed = new Set<string>();
    for (const id of change.remove) this.#remove(id, changed);
    for (const route of change.set) {
      this.#remove(route.id, changed);
      if (route.listener.kind === "name") this.#add(asReachedHere(route), changed);
    }
    if (changed.size > 0) this.#serial++;
    return changed;
  }

  startOfAuthority(): RecordData {
    return startOfAuthority({
      server: ["ns", zoneLabel],
      mailbox: ["hostmaster", zoneLabel],
      serial: this.#serial,
      negativeTtlS: zoneTtlS,
    });
  }

  lookup(labels: Labels, type: number): Lookup {
    if (labels.at(-1) !== zoneLabel) return this.#reverseLookup(labels, type);
    const below = labels.slice(0, -1);
    if (below.length === 0) return choose([this.startOfAuthority(), serverRecord(["ns", zoneLabel])], type, null);
    if (below.length === 1) return this.#lookupSpace(below[0] ?? "", type);
    if (below.length > 4) return unknown;
    const key = below.slice(-2).join(".");
    const processes = this.#apps.get(key);
    if (processes === undefined) return unknown;
    return lookupBelowApp(below.slice(0, -2), processes, key, type);
  }

  #lookupSpace(space: string, type: number): Lookup {
    if (space === "ns") return choose(this.#server === null ? [] : [this.#server], type, null);
    return this.#spaces.has(space) ? { kind: "empty", app: null } : unknown;
  }

  #reverseLookup(labels: Labels, type: number): Lookup {
    if (labels.at(-1) !== "arpa") return outside;
    const instances = type === types.ptr ? this.#reverse.get(labels.join(".")) : undefined;
    return instances === undefined ? outside : choose([...instances.values()].map(pointerRecord), type, null);
  }

  #add(route: Route, changed: Set<string>): void {
    const key = `${route.app}.${route.space}`;
    let processes = this.#apps.get(key);
    if (processes === undefined) {
      processes = new Map();
      this.#apps.set(key, processes);
      this.#spaces.set(route.space, (this.#spaces.get(route.space) ?? 0) + 1);
    }
    processes.set(route.process, route);
    this.#routes.set(route.id, route);
    changed.add(key);
    for (const { host, instance } of endpointsOf(route)) {
      const name = reverseName(host);
      if (name === null) continue;
      let instances = this.#reverse.get(name);
      if (instances === undefined) this.#reverse.set(name, (instances = new Map()));
      instances.set(instance, instanceName(route, instance));
    }
  }

  #remove(id: RouteId, changed: Set<string>): void {
    const route = this.#routes.get(id);
    if (route === undefined) return;
    this.#routes.delete(id);
    const key = `${route.app}.${route.space}`;
    changed.add(key);
    const processes = this.#apps.get(key);
    if (processes?.get(route.process) === route) processes.delete(route.process);
    if (processes?.size === 0) {
      this.#apps.delete(key);
      const left = (this.#spaces.get(route.space) ?? 1) - 1;
      if (left > 0) this.#spaces.set(route.space, left);
      else this.#spaces.delete(route.space);
    }
    for (const { host, instance } of endpointsOf(route)) {
      const name = reverseName(host);
      const instances = name === null ? undefined : this.#reverse.get(name);
      instances?.delete(instance);
      if (name !== null && instances?.size === 0) this.#reverse.delete(name);
    }
  }
}

/**
 * Instances on other machines that nobody reaches plainly are where the app's service address leads, while that is open, and nowhere else: whoever
 * asks can do nothing with an address that takes connections of edges alone.
 */
function asReachedHere(route: Route): Route {
  const { listener, targets } = route;
  if (!targets.some(({ endpoints }) => endpoints.some(({ entry }) => entry !== undefined))) return route;
  const port = listener.kind === "name" ? listener.servicePort : null;
  const here = ({ instance, host, port: own, entry }: Endpoint): readonly Endpoint[] =>
    entry === undefined ? [{ instance, host, port: own }] : port === null ? [] : [{ instance, host: "127.0.0.1", port }];
  return { ...route, targets: targets.map((target) => ({ ...target, endpoints: target.endpoints.flatMap(here) })) };
}

function lookupBelowApp(labels: Labels, processes: ReadonlyMap<string, Route>, app: string, type: number): Lookup {
  const [first = "", second] = labels;
  const named = (name: string) => processes.get(name);
  if (labels.length === 0) {
    const serving = [...processes.values()].find(({ listener }) => listener.kind === "name" && listener.isMain);
    return serving === undefined ? { kind: "empty", app } : choose(processRecords(serving, type), type, app);
  }
  if (second === "_tcp") {
    const route = first.startsWith("_") ? named(first.slice(1)) : undefined;
    return route === undefined ? unknown : choose([...services(route), description(route)], type, app);
  }
  if (second === undefined) {
    if (first === "_tcp") return { kind: "empty", app };
    const route = named(first);
    return route === undefined ? unknown : choose(processRecords(route, type), type, app);
  }
  const route = named(second);
  const endpoint = route && endpointsOf(route).find(({ instance }) => instanceLabel(route, instance) === first);
  if (route === undefined || endpoint === undefined) return unknown;
  return choose([...addresses([endpoint]), service(route, endpoint, 1)], type, app);
}

/** Only what may be asked for is made: a process can have a thousand instances. */
function processRecords(route: Route, type: number): readonly RecordData[] {
  if (type === types.srv) return services(route);
  return [...addresses(endpointsOf(route)), description(route)];
}

function choose(records: readonly RecordData[], type: number, app: string | null): Lookup {
  const chosen = type === types.any ? records : records.filter((record) => record.type === type);
  return chosen.length === 0 ? { kind: "empty", app } : { kind: "found", records: chosen, app };
}

function addresses(endpoints: readonly Endpoint[]): readonly RecordData[] {
  return [...new Set(endpoints.map(({ host }) => host))].filter((host) => isIP(host) !== 0).map(addressRecord);
}

/** The weights of SRV records are whole numbers up to 65,535; shares of a release divide into thousandths. */
const weightScale = 1_000;

function services(route: Route): readonly ServiceRecord[] {
  const taking = route.targets.filter(({ weight, endpoints }) => weight > 0 && endpoints.length > 0);
  const total = taking.reduce((sum, { weight }) => sum + weight, 0);
  return taking.flatMap(({ weight, endpoints }) => {
    const each = Math.max(1, Math.round(((weight / total) * weightScale) / endpoints.length));
    return endpoints.map((endpoint) => service(route, endpoint, each));
  });
}

function service(route: Route, endpoint: Endpoint, weight: number): ServiceRecord {
  return serviceRecord(weight, endpoint.port, instanceName(route, endpoint.instance), addresses([endpoint]));
}

/** Facts for people and scripts, as `key=value` (RFC 6763, 6.3). `address` is the one that stays, while it is open. */
function description(route: Route): RecordData {
  const { listener, space, app, process } = route;
  const facts = [`space=${space}`, `app=${app}`, `process=${process}`];
  if (listener.kind === "name") {
    facts.push(`protocol=${listener.protocol}`);
    if (listener.servicePort !== null) facts.push(`address=127.0.0.1:${listener.servicePort}`);
  }
  return textRecord([...facts, `ready=${endpointsOf(route).length}`]);
}

/** Those that take traffic. */
function endpointsOf(route: Route): readonly Endpoint[] {
  return route.targets.flatMap(({ weight, endpoints }) => (weight > 0 ? endpoints : []));
}

function instanceName(route: Route, instance: InstanceId): Labels {
  return [instanceLabel(route, instance), route.process, route.app, route.space, zoneLabel];
}

/** `7-k3f9b` of `shop/api/web.7.k3f9b`. */
function instanceLabel({ process }: Route, instance: InstanceId): string {
  const short = shortInstanceId(instance);
  const own = short.startsWith(`${process}.`) ? short.slice(process.length + 1) : short;
  return own
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .slice(-63);
}

/** The address's name in `in-addr.arpa` or `ip6.arpa`; null for loopback, whose name is `localhost` everywhere, and for what is no address. */
function reverseName(host: string): string | null {
  if (isIPv4(host)) return host.startsWith("127.") ? null : `${host.split(".").reverse().join(".")}.in-addr.arpa`;
  if (isIP(host) === 0 || host.includes("%")) return null;
  const digits = ipv6Bytes(host).toString("hex");
  return /^0{31}1$/.test(digits) ? null : `${[...digits].reverse().join(".")}.ip6.arpa`;
}
