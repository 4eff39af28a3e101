import { randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { addressToCall, formatAddress } from "#host/address.ts";
import { systemClock } from "#host/clock.ts";
import { entryBeside } from "#host/encrypt.ts";
import { writeFileAtomic } from "#host/files.ts";
import { giveBackMemory } from "#host/give-back-memory.ts";
import { defaultHome, type Home, homeAt, makeHome } from "#host/home.ts";
import { createLog, errorFields } from "#host/log.ts";
import { createOutgoing } from "#host/outgoing.ts";
import { wantsHelp } from "#host/program-options.ts";
import { forgetWhyServerEnded, noteWhyServerEnded } from "#host/server-note.ts";
import { tellEnd } from "#host/tell-end.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import packageFile from "../../package.json" with { type: "json" };
import { openAccess } from "./access/open-access.ts";
import { ownTls } from "./access/own-tls.ts";
import { createRequestGuard } from "./access/request-guard.ts";
import { createExecSockets } from "./api/exec-socket.ts";
import { createExecTickets } from "./api/exec-tickets.ts";
import { type ApiOptions, createApi } from "./api/http-server.ts";
import { createIdempotencyKeys } from "./api/idempotency.ts";
import { allRoutes } from "./api/routes/index.ts";
import type { Services } from "./api/services.ts";
import { dnsCommand } from "./certificates/acme/dns-command.ts";
import { createOrderer } from "./certificates/acme/order.ts";
import { type Authority, openAuthority } from "./certificates/authority.ts";
import { CertificateController } from "./certificates/certificate-controller.ts";
import { createControlPlane } from "./create-control-plane.ts";
import { openEventLog } from "./events/sqlite-event-log.ts";
import { figureProblems } from "./figures/figure-problems.ts";
import type { FigureSource } from "./figures/figure-source.ts";
import { FigureStore } from "./figures/figure-store.ts";
import { createMeasure } from "./figures/measure.ts";
import { OwnFigures } from "./figures/own-figures.ts";
import { keepHouse, renewTls } from "./housekeeping.ts";
import { createAdditions } from "./members/additions.ts";
import { familyOf } from "./metrics/families.ts";
import { followFigures } from "./metrics/figure-collector.ts";
import { objects } from "./objects/objects.ts";
import { makeDefaultSpace } from "./operations/space-operations.ts";
import { isLoopback, readServerOptions, type ServerOptions, serverUsage } from "./options.ts";
import { openPartStore } from "./programs/part-store.ts";
import { openRemembered } from "./restore/remembered.ts";
import { openSealer } from "./secrets/open-sealer.ts";
import { createSecrets } from "./secrets/sealed-secrets.ts";
import { readLostRevisions } from "./store/lost-revisions.ts";
import { openSqliteStore } from "./store/sqlite-store.ts";
import { storeFiles } from "./store/store-files.ts";
import { claimSocket, listenOnSocket } from "./unix-socket.ts";
import type { WebSite } from "./web/web-site.ts";

/** How long stopping may take before it is cut short: everything that was answered is durable already. */
const stopMs = 5_000;

async function main(): Promise<void> {
  // Whatever the server writes is its own: keys and secrets lie among it.
  process.umask(0o077);
  // Whoever reads the log may go away (and lose what is told meanwhile); the server goes on.
  process.stderr.on("error", () => undefined);
  if (wantsHelp(process.argv.slice(2))) {
    process.stdout.write(serverUsage);
    return;
  }
  const options = readServerOptions(process.argv.slice(2));
  const log = createLog({
    print: (line) => process.stderr.write(line),
    nowMs: systemClock.nowMs,
    least: options.isVerbose ? "debug" : "info",
    fields: { program: "server" },
  });
  const home = homeAt(options.home ?? defaultHome(process.env, process.getuid?.() === 0));
  await makeHome(home);
  if (options.restore === null) return serve(home, options, log).catch((error: unknown) => leaveWord(home, error));
  const { restoreFromBackup } = await import("./restore/restore-command.ts");
  const terminal = { input: process.stdin, output: process.stdout, error: process.stderr };
  await restoreFromBackup({ home, from: options.restore, isConfirmed: options.isConfirmed, terminal, log }, stoppedBySignal());
}

/** Whoever asks why nothing answers is told. Not of another server that has this home: that one answers. */
async function leaveWord(home: Home, error: unknown): Promise<never> {
  if (error instanceof DroverError && error.code !== "STORE_IN_USE") {
    await noteWhyServerEnded(home, error).catch((failure: unknown) =>
      process.stderr.write(`error: cannot leave word for commands: ${failure instanceof Error ? failure.message : String(failure)}\n`),
    );
  }
  throw error;
}

function stoppedBySignal(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
  return stopping.signal;
}

async function serve(home: Home, options: ServerOptions, log: Log): Promise<void> {
  const stopping = stoppedBySignal();
  // What the disk holds is unknown after such a failure, so nothing may run on with what memory holds.
  const fatal = (error: unknown): never => {
    log.error("the store failed; the server ends", errorFields(error));
    process.exit(1);
  };
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const restoreCommand = (file: string) => `drover server --home ${quote(home.root)} --restore ${quote(file)}`;
  const store = await openSqliteStore({ folder: home.server, log, fatal, random: Math.random, restoreCommand });
  const clock = systemClock;
  const events = openEventLog({ file: join(home.server, "events.db"), clock, log });
  const figures = await FigureStore.open({ folder: join(home.server, "figures"), clock, log });
  const remembered = await openRemembered({ file: storeFiles(home.server).remembered, store, events, clock, log }, stopping);
  const sealer = openSealer(store, join(home.server, "secrets.key"));
  const secrets = createSecrets({ store, sealer, clock });

  const listener = createServer();
  await claimSocket(home.linkSocket);
  await listenOnSocket(listener, home.linkSocket);
  const edgeUrl = `http://${formatAddress(options.edge)}`;
  const edgeTlsUrl = `https://${formatAddress(options.edgeTls)}`;
  let authority: Promise<Authority> | null = null;
  const openOwnAuthority = () => (authority ??= openAuthority(home.server, clock));
  const dns = dnsCommand(join(home.server, "acme-dns"), process.env);
  const orderer = createOrderer({ sealer, clock, dns });
  const random = Math.random;
  const entry = options.link !== null && options.encrypt ? entryBeside(options.link) : null;
  const machines =
    entry === null
      ? null
      : new (await import("./members/machine-identities.ts")).MachineIdentities({
          store,
          authority: await openAuthority(home.server, clock, "machine-ca"),
          entry,
          clock,
          log,
        });
  const certificates = new CertificateController(
    { store, sealer, events, authority: openOwnAuthority, orderer, machines, clock, random, log },
    stopping,
  );
  const escalations = {
    recordsFile: join(home.server, "checks.db"),
    sshFolder: join(home.server, "ssh"),
    environment: process.env,
    outgoing: createOutgoing(options.allowOutgoing),
    apiUrl: () => peopleUrl(),
    edge: { host: addressToCall(options.edge.host), httpPort: options.edge.port, httpsPort: options.edgeTls.port },
  };
  const fence = { epoch: store.epoch, term: store.term };
  // What TLS links take is loaded where there are some.
  const remote =
    options.link === null
      ? null
      : await (await import("./members/remote-links.ts")).openRemoteLinks(
          { store, events, folder: home.server, address: options.link, installation: store.installation, fence, clock, random, log },
          stopping,
        );
  const lost = await readLostRevisions(storeFiles(home.server).lost);
  const more = { ...(remote === null ? {} : { remote }), ...(machines === null ? {} : { machines }) };
  const { lostAfterMs, edges } = options;
  const controlPlane = createControlPlane(
    {
      ...more,
      ...(lostAfterMs === null ? {} : { lostAfterMs }),
      edges,
      store,
      lost,
      events,
      secrets,
      certificates,
      measure: createMeasure(figures, clock),
      figureProblems: () => figureProblems(figures.state),
      escalations,
      shipping: { folder: join(home.server, "shipping"), resolve: escalations.outgoing },
      listener,
      clock,
      random,
      log,
      edgeUrl,
      edgeTlsUrl,
    },
    stopping,
  );

  const isPlain = isLoopback(options.api.host);
  const scheme = isPlain ? "http" : "https";
  const port = { api: options.api.port };
  const apiUrl = () => `${scheme}://${formatAddress({ host: options.api.host, port: port.api })}`;
  // An address that means "all of them" leads nobody anywhere; the first name that people use, or this machine's, does.
  const isAnyHost = options.api.host === "0.0.0.0" || options.api.host === "::";
  const peopleHost = isAnyHost ? (options.hosts[0] ?? hostname()) : options.api.host;
  const peopleUrl = () => options.publicUrl ?? `${scheme}://${formatAddress({ host: peopleHost, port: port.api })}`;
  const newSecret = () => randomBytes(32).toString("hex");
  const isSecure = peopleUrl().startsWith("https:");
  const access = await openAccess({ home, store, isSecure, clock, log, newSecret }, stopping);
  const services: Services = {
    store,
    secrets,
    events,
    clock,
    log,
    controlPlane,
    newestRelease: controlPlane.newestRelease,
    remote,
    additions: createAdditions(clock),
    certificates,
    figures,
    source: await openSource(options.metricsFrom, figures, store, clock),
    sealer,
    authority: openOwnAuthority,
    reservedPorts: new Set([
      options.api.port,
      options.edge.port,
      options.edgeTls.port,
      ...(options.link === null ? [] : [options.link.port]),
      ...(entry === null ? [] : [entry.port]),
      ...(options.dns === null ? [] : [options.dns.port]),
    ]),
    isEncrypted: machines !== null,
    tickets: createExecTickets(clock, newSecret),
    programs: openPartStore(join(home.server, "programs"), clock),
    ...access,
    webUi: { prepare: () => void openWeb().then((web) => web.prepare()), url: peopleUrl },
    startedAtMs: clock.nowMs(),
    version: () => ({
      version: packageFile.version,
      node: process.versions.node,
      api: "v1",
      revision: store.revision,
      installation: store.installation,
    }),
    addresses: () => ({ api: apiUrl(), edge: edgeUrl, edgeTls: edgeTlsUrl, dns: options.dns === null ? null : formatAddress(options.dns) }),
  };
  const hosts = [
    ...options.hosts,
    ...(options.publicUrl === null ? [] : [new URL(options.publicUrl).hostname]),
    ...(isPlain ? [] : [options.api.host, hostname()]),
  ];
  // Loaded by the first who opens a page, and the pages are bundled then.
  let site: Promise<WebSite> | null = null;
  const openWeb = () => (site ??= import("./web/web-site.ts").then((web) => web.createWebSite(join(home.server, "web"), log, stopping)));
  const web: ApiOptions["web"] = { answer: async (path, headers) => (await openWeb()).answer(path, headers) };
  const idempotency = createIdempotencyKeys(store, clock);
  const apiOptions: ApiOptions = {
    routes: allRoutes(services),
    ...access,
    guard: createRequestGuard(hosts),
    idempotency,
    clock,
    log,
    newRequestId: randomUUID,
    upgrade: createExecSockets(services, stopping),
  };
  const tls = isPlain ? undefined : await ownTls(home.server, await openOwnAuthority(), hosts, clock);
  const api = createApi({ ...apiOptions, web, ...(tls === undefined ? {} : { tls }) });
  const local = createApi(apiOptions);
  // The port last: the agent takes the server for ready once that is open, and has commands call the socket.
  await claimSocket(home.apiSocket);
  await local.listenOnSocket(home.apiSocket);
  port.api = await api.listen(options.api);
  const addresses = { api: apiUrl(), edge: edgeUrl, socket: home.apiSocket };
  await writeFileAtomic(home.addressFile, `${JSON.stringify(addresses)}\n`, { durable: false });
  await forgetWhyServerEnded(home);
  events.append({ kind: "server.started", message: `the server started, version ${packageFile.version}` });
  log.info("server ready", { api: addresses.api, revision: store.revision });

  await makeDefaultSpace(services);
  const renewals =
    tls === undefined ? null : renewTls({ folder: home.server, authority: openOwnAuthority, hosts, first: tls, api, clock, log }, stopping);
  const { startedAtMs } = services;
  const following = followFigures({ controlPlane, store, figures, version: packageFile.version, startedAtMs, clock, log }, stopping);
  const chores = keepHouse({ store, idempotency, clock, log, folder: home.server }, stopping);
  await new Promise((resolve) => stopping.addEventListener("abort", resolve, { once: true }));
  log.info("server stops", { reason: String(stopping.reason?.message ?? "") });
  const cut = setTimeout(() => process.exit(0), stopMs);
  cut.unref();
  listener.close();
  await Promise.all([
    api.close(),
    local.close(),
    controlPlane.stopped,
    remembered.stopped,
    remote?.stopped(),
    certificates.stopped(),
    chores,
    renewals,
    following,
  ]);
  await figures.close();
  await events.close();
  await store.close();
  clearTimeout(cut);
  process.exit(0);
}

/** Who answers questions about figures over time: Drover itself, unless a larger installation keeps them elsewhere. */
async function openSource(url: string | null, figures: FigureStore, store: Services["store"], clock: Clock): Promise<FigureSource> {
  if (url === null) return new OwnFigures(figures, clock, (name) => familyOf(name)?.help ?? null);
  const { PrometheusFigures } = await import("./figures/prometheus-figures.ts");
  const spaces = () => objects.spaces(store).map(({ value }) => value.name);
  return new PrometheusFigures({ url, clock, own: familyOf, spaces });
}

giveBackMemory();
main().catch((error: unknown) => process.exit(tellEnd(error)));
