import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#host/clock.ts";
import { homeAt, makeHome } from "#host/home.ts";
import { createLog } from "#host/log.ts";
import type { Role } from "#model/access.ts";
import { openAccess } from "../../access/open-access.ts";
import { createRequestGuard } from "../../access/request-guard.ts";
import { openAuthority } from "../../certificates/authority.ts";
import type { ControlPlane } from "../../control-plane.ts";
import { openEventLog } from "../../events/sqlite-event-log.ts";
import { FigureStore } from "../../figures/figure-store.ts";
import { OwnFigures } from "../../figures/own-figures.ts";
import type { Sample } from "../../figures/series.ts";
import { createAdditions } from "../../members/additions.ts";
import { openPartStore } from "../../programs/part-store.ts";
import { openSealer } from "../../secrets/open-sealer.ts";
import { createSecrets } from "../../secrets/sealed-secrets.ts";
import { openSqliteStore } from "../../store/sqlite-store.ts";
import { createExecSockets } from "../exec-socket.ts";
import { createExecTickets } from "../exec-tickets.ts";
import { createApi } from "../http-server.ts";
import { createIdempotencyKeys } from "../idempotency.ts";
import type { Route } from "../route.ts";
import { allRoutes } from "../routes/index.ts";
import type { Services } from "../services.ts";
import { createIdleControlPlane } from "./idle-control-plane.ts";

export interface ApiFixture extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly services: Services;
  readonly logged: string[];
  /** Has the store of figures know these of that moment. */
  follow(atMs: number, samples: readonly Sample[]): Promise<void>;
  /** Headers of a request with a new token. `spaces` left out: all. */
  as(role: Role, spaces?: readonly string[]): Promise<{ readonly authorization: string }>;
  readonly idempotency: ReturnType<typeof createIdempotencyKeys>;
  /** A request with the token; `json` becomes the body. */
  fetch(
    method: string,
    path: string,
    options?: { json?: unknown; body?: Uint8Array | string; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>;
  /** The same, with its JSON answer; fails the test for a status of 400 and above. */
  call<T = Record<string, unknown>>(method: string, path: string, json?: unknown, headers?: Record<string, string>): Promise<T>;
}

/** A real API over a real store in a temporary folder, on a free port. The cluster is `controlPlane`, or none. */
export async function startApi(
  options: { readonly controlPlane?: Partial<ControlPlane>; readonly routes?: (all: readonly Route[]) => readonly Route[] } = {},
): Promise<ApiFixture> {
  const root = await mkdtemp(join(tmpdir(), "drover-api-"));
  const home = homeAt(root);
  await makeHome(home);
  const logged: string[] = [];
  const clock = systemClock;
  const log = createLog({ print: (line) => logged.push(line), nowMs: clock.nowMs, least: "warn" });
  const fatal = (error: unknown) => {
    throw error;
  };
  const store = await openSqliteStore({ folder: home.server, log, fatal, random: Math.random });
  const events = openEventLog({ file: join(home.server, "events.db"), clock, log });
  const sealer = openSealer(store, join(home.server, "secrets.key"));
  const stopping = new AbortController();
  const figures = await FigureStore.open({ folder: join(home.server, "figures"), clock, log });
  const newSecret = () => randomBytes(32).toString("hex");
  const access = await openAccess({ home, store, isSecure: false, clock, log, newSecret }, stopping.signal);
  const services: Services = {
    store,
    events,
    clock,
    log,
    secrets: createSecrets({ store, sealer, clock }),
    sealer,
    figures,
    source: new OwnFigures(figures, clock, () => null),
    remote: null,
    additions: createAdditions(clock),
    certificates: { serving: new Map(), failureOf: () => null, renew: async () => {} },
    authority: () => openAuthority(home.server, clock),
    controlPlane: { ...createIdleControlPlane(store), ...options.controlPlane },
    reservedPorts: new Set([7_373, 8_080]),
    tickets: createExecTickets(clock, newSecret),
    programs: openPartStore(join(home.server, "programs"), clock),
    ...access,
    webUi: { prepare: () => {}, url: () => "http://127.0.0.1:7373" },
    startedAtMs: clock.nowMs(),
    version: () => ({
      version: "0.0.0",
      node: process.versions.node,
      api: "v1",
      revision: store.revision,
      installation: store.installation,
    }),
    addresses: () => ({ api: "http://127.0.0.1:7373", edge: "http://127.0.0.1:8080", edgeTls: "https://127.0.0.1:8443", dns: null }),
  };
  const idempotency = createIdempotencyKeys(store, clock);
  const api = createApi({
    routes: options.routes?.(allRoutes(services)) ?? allRoutes(services),
    ...access,
    guard: createRequestGuard([]),
    idempotency,
    clock,
    log,
    newRequestId: randomUUID,
    upgrade: createExecSockets(services, stopping.signal),
  });
  const port = await api.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${port}`;
  const token = (await readFile(home.tokenFile, "utf8")).trim();
  const request: ApiFixture["fetch"] = (method, path, { json, body, headers, signal } = {}) =>
    fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(json === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    url,
    port,
    token,
    services,
    logged,
    follow: (atMs, samples) => figures.append(atMs, samples),
    idempotency,
    fetch: request,
    as: async (role, spaces) => {
      const name = [role, ...(spaces ?? ["all"])].join("-");
      const json = { name, role, ...(spaces === undefined ? {} : { spaces }) };
      const made = (await (await request("POST", "/v1/tokens", { json })).json()) as { token?: string };
      if (made.token === undefined) throw new Error(`no token: ${JSON.stringify(made)}`);
      return { authorization: `Bearer ${made.token}` };
    },
    call: async <T>(method: string, path: string, json?: unknown, headers: Record<string, string> = {}) => {
      const response = await request(method, path, { ...(json === undefined ? {} : { json }), headers });
      const text = await response.text();
      if (response.status >= 400) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return (text === "" ? null : JSON.parse(text)) as T;
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort(new Error("the test is over"));
      await api.close();
      await events.close();
      await figures.close();
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
