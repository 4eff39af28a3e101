import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import os from "node:os";
import { join } from "node:path";
import { systemClock } from "#host/clock.ts";
import { readDoor } from "#host/edge-door.ts";
import { giveBackMemory } from "#host/give-back-memory.ts";
import { defaultHome, type Home, homeAt, makeHome } from "#host/home.ts";
import { openSocket } from "#host/listening-socket.ts";
import { createLog, errorFields } from "#host/log.ts";
import { wantsHelp } from "#host/program-options.ts";
import { tellEnd } from "#host/tell-end.ts";
import { openConnector } from "#link/connector.ts";
import { DroverError } from "#model/errors.ts";
import packageFile from "../../package.json" with { type: "json" };
import { Certificates } from "./certificates/certificates.ts";
import type { DnsServer } from "./dns/dns-server.ts";
import { Door } from "./door.ts";
import { lockEdge } from "./edge-lock.ts";
import { dropHeld, heldSocket, isHeld, releaseHeld } from "./held-sockets.ts";
import { type DnsOptions, type EdgeOptions, edgeUsage, parseEdgeOptions } from "./options.ts";
import type { HaproxyRouter } from "./router/haproxy/haproxy-router.ts";
import { Table } from "./table/table.ts";
import { loadTable, TableWriter } from "./table/table-file.ts";
import { WorkerPool } from "./workers/worker-pool.ts";

/** Requests that are under way when the edge is told to stop get this long. */
const closeWithinMs = 10_000;
/** What the greeting of the link takes. */
const longestMachineId = 64;
/** What is under way when another edge has taken over gets this long, WebSockets among it. */
const handoverDrainMs = 5 * 60_000;

const log = createLog({ print: (line) => process.stderr.write(line), nowMs: systemClock.nowMs, fields: { program: "edge" } });
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
/** Another edge serves on the same sockets: this one is to finish what it has. */
const handover = new AbortController();
process.on("SIGUSR2", () => handover.abort(new Error("another edge has taken over")));
// Both are for whoever holds the sockets, and reach all of its process group.
for (const signal of ["SIGHUP", "SIGUSR1"] as const) process.on(signal, () => {});

async function main(): Promise<void> {
  if (wantsHelp(process.argv.slice(2))) {
    process.stdout.write(edgeUsage);
    return;
  }
  const options = parseEdgeOptions(process.argv.slice(2), defaultHome(process.env, process.getuid?.() === 0));
  const home = homeAt(options.home);
  await makeHome(home);
  // Before anything of another edge is touched: its ports are taken over further down.
  const lock = await lockEdge(home, { pid: process.pid, holder: isHeld() ? process.ppid : null });

  const last = await loadTable(home.edge, log);
  const table = new Table(last ?? undefined);
  const certificates = await Certificates.load(home.edge, log);
  const isOpen = await readDoor(home.edge);
  const { router, ...at } =
    options.router === "haproxy"
      ? await makeHaproxy(options, home, table, certificates)
      : makeEmbedded(options, home, table, certificates, isOpen);
  const door = new Door(isOpen, {
    folder: home.edge,
    http: options,
    ...at,
    close: (withinMs) => router.closePublic(withinMs),
    release: (signal) => releaseHeld(systemClock, signal),
    clock: systemClock,
    signal: stop.signal,
  });
  if (door.isOpen) await door.openNow();
  else {
    await dropHeld(systemClock, stop.signal);
    await router.start();
  }
  log.info("serving", {
    host: options.host,
    port: router.port,
    tls_port: router.tlsPort,
    is_public: door.isOpen,
    routes: table.routes().length,
    revision: table.version.revision,
  });

  // Only now: people's requests come first. In this process, so that no flood of questions takes anything from those who carry traffic.
  const dns = options.dns === null ? null : await openDns(options.dns, table);

  const canHandOver = isHeld();
  if (canHandOver) process.kill(process.ppid, "SIGUSR1");
  const restart = () => {
    log.info("another edge is asked for");
    process.kill(process.ppid, "SIGHUP");
  };

  const writer = new TableWriter({ table, folder: home.edge, clock: systemClock, log, signal: stop.signal });
  try {
    // Loaded only now: the last table is served already while HTTP/2 and the schemas are still being read.
    const [{ serveLink }, { edgeRoutes }, { EdgeIdentity }, { lazyCheckRoutes, checkRoutes }] = await Promise.all([
      import("#link/serve.ts"),
      import("./link-routes.ts"),
      import("./identity.ts"),
      import("#checks/link-routes.ts"),
    ]);
    // Written now and not at exit: an edge that is killed is the one that has to be back at once.
    flushCompileCache();
    const identity = await EdgeIdentity.load(home.edge);
    const connector = await openConnector(home);
    const machine = connector.membership?.machine ?? os.hostname().slice(0, longestMachineId);
    const checks = lazyCheckRoutes(async () => {
      const { OrderedChecks } = await import("#checks/ordered-checks.ts");
      const { allowOutgoing, host, port, https } = options;
      const edge = { http: { host, port }, https };
      // They end when another edge has taken over, which makes them from then on.
      const signal = AbortSignal.any([stop.signal, handover.signal]);
      return checkRoutes(
        new OrderedChecks({ probe: machine, allowOutgoing, edge, runCommand: null, clock: systemClock, random: Math.random }, signal),
      );
    });
    const link = (isLeaving: boolean, signal: AbortSignal) =>
      serveLink(
        {
          connect: (until) => connector.connect(until),
          hello: () => ({
            role: "edge",
            machine,
            installation: identity.installation,
            ...(isLeaving ? { isLeaving } : {}),
          }),
          admit: (server) => identity.admit(server),
          routes: edgeRoutes({
            table,
            certificates,
            router,
            door,
            dns,
            restart: canHandOver && !isLeaving ? restart : null,
            program: { version: packageFile.version, node: process.versions.node },
            checks,
            onChange: () => !isLeaving && writer.changed(),
          }),
          clock: systemClock,
          random: Math.random,
          log,
        },
        signal,
      );
    await link(false, AbortSignal.any([stop.signal, handover.signal]));
    if (!stop.signal.aborted) {
      log.info("another edge has taken over");
      // Who drains still has to hear which instances are to go, and to say when nothing of it is left there.
      const left = new AbortController();
      const linked = link(true, AbortSignal.any([stop.signal, left.signal]));
      const drained = Promise.all([router.close(handoverDrainMs, "answer"), dns?.finish(handoverDrainMs)]);
      await Promise.race([drained, linked]);
      left.abort();
      await linked;
    }
  } finally {
    await Promise.all([router.close(closeWithinMs), dns?.close(), writer.flushed()]);
    lock.release();
  }
  log.info("stopped");
}

async function openDns({ address, networks, resolvers }: DnsOptions, table: Table): Promise<DnsServer> {
  const [{ DnsServer }, { fixedResolvers, ResolvConf }] = await Promise.all([
    import("./dns/dns-server.ts"),
    import("./dns/forward/resolvers.ts"),
  ]);
  const machine = () =>
    new ResolvConf({ file: "/etc/resolv.conf", uplinkFile: "/run/systemd/resolve/resolv.conf", clock: systemClock, own: address });
  const asked = resolvers === null ? machine() : fixedResolvers(resolvers);
  const fd = heldSocket("dns");
  const held = fd === null ? null : openSocket(fd);
  const dns = new DnsServer({ address, held, networks, resolvers: asked, clock: systemClock, random: Math.random, randomBytes, log });
  dns.apply({ set: table.routes(), remove: [] });
  await dns.open();
  return dns;
}

interface Made {
  readonly router: WorkerPool | HaproxyRouter;
  /** Opens the public addresses. */
  readonly open: () => Promise<void>;
}

function makeEmbedded(
  { workers, trustedProxies, connectionsPerClient, host, port, https }: EdgeOptions,
  home: Home,
  table: Table,
  certificates: Certificates,
  isOpen: boolean,
): Made {
  const router = new WorkerPool({
    routes: () => table.routes(),
    certificates: () => certificates.whole,
    clock: systemClock,
    log,
    trustedProxies,
    connectionsPerClient,
    socketsFolder: home.run,
    ...(workers === null ? {} : { workers }),
  });
  for (const [name, address] of Object.entries({ http: { host, port }, https })) {
    const fd = isOpen ? heldSocket(name) : null;
    if (fd !== null) router.inherit(address, fd);
  }
  const open = async () => {
    await router.open(host, port);
    await router.openTls(https.host, https.port);
  };
  return { router, open };
}

async function makeHaproxy(
  { host, port, https, connectionsPerClient }: EdgeOptions,
  home: Home,
  table: Table,
  certificates: Certificates,
): Promise<Made> {
  // Only who asked for it pays for reading it.
  const [{ HaproxyRouter }, { findHaproxy }, { connectionsThatFit }] = await Promise.all([
    import("./router/haproxy/haproxy-router.ts"),
    import("./router/haproxy/binary.ts"),
    import("./router/haproxy/connections.ts"),
  ]);
  const binary = await findHaproxy(process.env["PATH"] ?? "");
  const folder = join(home.run, "haproxy");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const connections = await connectionsThatFit();
  const router = new HaproxyRouter({ clock: systemClock, log, binary, folder, connections, connectionsPerClient });
  await router.certify(certificates.whole);
  await router.apply({ set: table.routes(), remove: [] });
  log.info("HAProxy carries the traffic", { program: binary.path, version: binary.version });
  router.useTls(https.host, https.port);
  return { router, open: () => router.open(host, port) };
}

giveBackMemory();
try {
  await main();
} catch (error) {
  if (!stop.signal.aborted || error !== stop.signal.reason) {
    // What somebody can do something about is told to them, as by the other programs; anything else is for the log.
    if (error instanceof DroverError) process.exitCode = tellEnd(error);
    else {
      log.error("the edge ended", errorFields(error));
      process.exitCode = 1;
    }
  }
}
// Whatever still holds the loop open has nothing to finish any more.
process.exit();
