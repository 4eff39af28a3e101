import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { formatAddress } from "#host/address.ts";
import { sinceBootMs, systemClock } from "#host/clock.ts";
import { readDoor } from "#host/edge-door.ts";
import { giveBackMemory } from "#host/give-back-memory.ts";
import { defaultHome, type Home, homeAt, makeHome } from "#host/home.ts";
import { createLog, errorFields } from "#host/log.ts";
import { tellEnd } from "#host/tell-end.ts";
import { openConnector } from "#link/connector.ts";
import { DroverError } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import { type Agent, type AgentParts, openAgent, protectFromMemoryPressure } from "./agent.ts";
import { openAgentLog } from "./agent-log.ts";
import { banner } from "./banner.ts";
import { checkPorts } from "./check-ports.ts";
import { lockHome } from "./home-lock.ts";
import { joinIfAsked } from "./join.ts";
import { type AgentOptions, parseAgentOptions } from "./options.ts";
import { serverWorkload } from "./own-programs.ts";
import { become, isSupervised, restartArguments } from "./programs/become.ts";
import { successorOf } from "./programs/place.ts";

const root = join(import.meta.dirname, "..", "..");
/** The first asks for an orderly end, the second for one at once. */
const stop = new AbortController();
const now = new AbortController();
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.on(signal, () => (stop.signal.aborted ? now : stop).abort(new Error(`stopped by ${signal}`)));
}

async function main(): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  const options = parseAgentOptions(process.argv.slice(2), defaultHome(process.env, isRoot));
  const home = homeAt(options.home);
  const restart = restartArguments(process.argv.slice(2));
  if (!options.down && options.join?.only !== true) {
    const successor = await successorOf(root, home);
    // Nothing was applied yet, so that is not left out.
    if (successor !== null) become(successor, root, ["up", ...process.argv.slice(2)], process.env);
  }
  await makeHome(home);
  const isTerminal = process.stdout.isTTY === true;
  const say = (text: string) => process.stdout.write(text);
  const logFile = join(home.agent, "log", "agent.log");
  const ownLog = openAgentLog(logFile, (error) => process.stderr.write(`error: the agent's log cannot be written: ${String(error)}\n`));
  const print = (line: string) => {
    ownLog.append(line);
    if (!isTerminal && !options.down) process.stderr.write(line);
  };
  const log = createLog({ print, nowMs: systemClock.nowMs, fields: { program: "agent" } });

  const lock = await lockHome(home, {
    startedAtMs: systemClock.nowMs(),
    api: formatAddress(options.api),
    edge: formatAddress(options.http),
  });
  try {
    await joinIfAsked(home, options.join, stop.signal);
  } catch (error) {
    await lock.release();
    throw error;
  }
  if (options.join?.only === true) {
    await lock.release();
    return;
  }
  const connector = await openConnector(home);
  const isMember = connector.membership !== null;
  const next = Promise.withResolvers<string>();
  const parts = {
    root,
    home,
    options,
    connector,
    environment: process.env,
    isRoot,
    clock: systemClock,
    sinceBootMs,
    random: Math.random,
    log,
    restart: isSupervised(process.env, process.pid, process.ppid) ? null : restart,
    become: next.resolve,
    ownLog,
  };
  try {
    if (options.down) {
      say(`${JSON.stringify({ stopped: await stopWhatIsLeft(parts) })}\n`);
      return;
    }
    const wanted = [
      ...(isMember ? [] : [{ what: "the API", flag: "--api", address: options.api }]),
      ...((await readDoor(home.edge)) ? [{ what: "the edge", flag: "--http", address: options.http }] : []),
    ];
    const instances = join(home.agent, "instances");
    const dns = await findDns(options.dns, instances, log);
    if (dns?.isChosen === true) wanted.push({ what: "DNS", flag: "--dns", address: dns.address });
    await checkPorts(wanted, instances);
    await protectFromMemoryPressure((file, text) => writeFile(file, text), log);
    const agent = await openAgent({ ...parts, options: { ...options, dns } }, stop.signal);
    log.info("agent started", { pid: process.pid, home: home.root });
    const leaving = new AbortController();
    const serving = agent.serve(AbortSignal.any([stop.signal, leaving.signal]));
    if (isTerminal)
      say(
        banner({
          home: home.root,
          api: options.api,
          joined: connector.membership,
          http: options.http,
          dns,
          logFile,
          machine: await agent.engine.machine(stop.signal),
        }),
      );
    flushCompileCache();
    if (options.apply !== null) await applyWhenReady(agent, home, options.apply);
    const successor = stop.signal.aborted ? null : await Promise.race([once(stop.signal, "abort").then(() => null), next.promise]);
    if (successor !== null) {
      leaving.abort(new Error("the agent goes on as another version"));
      await serving;
      await agent.letGo();
      await lock.release();
      if (isTerminal) say(`\ngoes on as the version in ${successor}\n`);
      become(successor, root, restart, process.env);
    }
    if (isTerminal) say("\nstopping; once more to stop at once\n");
    await serving;
    await agent.stop(now.signal);
    log.info("agent stopped");
  } finally {
    await lock.release();
  }
}

/** DNS at an address that nobody asked for is a convenience: where another has it, perhaps another Drover, there is none. */
async function findDns(dns: AgentOptions["dns"], instances: string, log: Log): Promise<AgentOptions["dns"]> {
  if (dns === null || dns.isChosen) return dns;
  try {
    await checkPorts([{ what: "DNS", flag: "--dns", address: dns.address }], instances);
    return dns;
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    log.warn("names are not answered by DNS", errorFields(error));
    return null;
  }
}

/** Takes over from an agent that was killed, to end what it looked after. How many instances there were, Drover's own among them. */
async function stopWhatIsLeft(parts: AgentParts): Promise<number> {
  const agent = await openAgent(parts, now.signal);
  const left = agent.engine.running().length;
  await agent.stop(stop.signal);
  return left;
}

/** Applies manifests by the command line, as a person would, once the server answers. That it fails does not end the agent: the answer says why. */
async function applyWhenReady(agent: Agent, home: Home, path: string): Promise<void> {
  for await (const change of agent.engine.watch(stop.signal)) {
    const instances = change.kind === "snapshot" ? change.instances : change.kind === "instance" ? [change.instance] : [];
    if (instances.some(({ workload, ready }) => workload === serverWorkload && ready)) break;
  }
  if (stop.signal.aborted) return;
  const child = spawn(join(root, "bin", "drover"), ["apply", path], {
    stdio: "inherit",
    env: { ...process.env, DROVER_HOME: home.root },
  });
  const forward = () => child.kill("SIGTERM");
  stop.signal.addEventListener("abort", forward, { once: true });
  await once(child, "exit");
  stop.signal.removeEventListener("abort", forward);
}

giveBackMemory();
try {
  await main();
} catch (error) {
  process.exitCode = tellEnd(error);
}
// Whatever still holds the loop open has nothing to finish any more.
process.exit();
