import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Distribution } from "#host/distribution.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { MachineId } from "#model/names.ts";
import { abilitiesOf, type Pool, type ProvidedMachine, type SshPool } from "#model/pool.ts";
import { parseTarget, type Target } from "#model/ssh-target.ts";
import { addMachine, type Members } from "#ssh/add-machine.ts";
import { type Connect, openSsh } from "#ssh/client.ts";
import { edgePorts } from "#ssh/edge-ports.ts";
import { openHost } from "#ssh/host.ts";
import { openHostLog } from "#ssh/host-log.ts";
import { removeMachine } from "#ssh/remove-machine.ts";
import { SiteTurns } from "#ssh/site-turns.ts";
import type { Store } from "../../store/store.ts";
import { endOf, type Say, wordsOf } from "../end-of-call.ts";
import { openHostBook } from "../host-book.ts";
import type { Provider, RunCommand } from "../provider.ts";
import { answersSsh } from "./answers-ssh.ts";
import { createHostPower, hostVariables } from "./host-power.ts";
import { ownPublicKey } from "./own-key.ts";

export interface SshProviderOptions {
  readonly pool: Pool & { readonly provider: SshPool };
  readonly store: Store;
  /** What the server keeps of SSH: its keys, pinned keys of hosts, packed programs, a log for each host. */
  readonly folder: string;
  /** Names the key that the server has for the pool's space, for as long as there is this space. */
  readonly ownKey: string;
  /** Value of a secret of the pool's space. @throws {DroverError} SECRET_NOT_FOUND */
  readonly secret: (name: string) => string;
  /** Null: no other machine can join this server. */
  readonly members: Members | null;
  /** Runs the command that switches hosts. */
  readonly act: RunCommand;
  /** What a host is to get: this very Drover. One for all pools, since packing it takes a while. */
  readonly distribution: () => Promise<Distribution>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

/** Hosts that are tried for one machine: when so many spare ones fail, the next fail for the same reason. */
const mostTried = 5;
/** Hosts that are asked at once whether they are there. */
const askedAtOnce = 20;
/** An agent that was started links within a second or two; a slow disk and a busy machine take longer. */
const linkMs = 60_000;

/** What goes wrong with one host and may go well with another. */
const isOfHost = ({ code }: DroverError) => ["SSH_FAILED", "HOST_KEY_CHANGED", "HOST_UNFIT", "UNHEALTHY", "CONFLICT"].includes(code);

/**
 * Machines that are made of hosts which are there: the server logs in over SSH as `drover machine add` does, with a key of its own or a secret. A machine
 * keeps its host until it is destroyed, which takes Drover away from it; the next is made of a spare host if there is one.
 */
export function createSshProvider(options: SshProviderOptions): Provider {
  const { pool, store, folder, secret, members, distribution, environment, clock } = options;
  const { hosts, key, sudo, converge, agentOptions, secrets } = pool.provider;
  const book = openHostBook(store, pool, hosts);
  const ownKey = join(folder, "keys", options.ownKey);
  const switchHost = createHostPower({ ...options, book });

  /** Runs with a way to connect that ends with it. */
  const connected = async <T>(signal: AbortSignal, work: (connect: Connect) => Promise<T>): Promise<T> => {
    await mkdir(callsOf(folder), { recursive: true, mode: 0o700 });
    const temporary = await mkdtemp(join(callsOf(folder), "call-"));
    try {
      const identity = key === null ? ownKey : join(temporary, "key");
      if (key === null) await ownPublicKey(ownKey, signal);
      // A key without a line's end at its end is none to ssh.
      else await writeFile(identity, `${secret(key).trimEnd()}\n`, { mode: 0o600 });
      const knownHosts = join(folder, "known_hosts");
      await using ssh = await openSsh({ knownHosts, isPersonal: false, jump: null, identity, environment });
      return await work(ssh.connect);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  };
  const turns = new SiteTurns(clock);
  const password = sudo === null ? null : async () => secret(sudo);

  /** One host, with a log of its own for what happens there. */
  const at = async <T>(host: string, machine: MachineId, work: (place: Place) => Promise<T>): Promise<T> => {
    const target: Target = { ...parseTarget(host, { pool: pool.name }), name: machine };
    await mkdir(join(folder, "log"), { recursive: true, mode: 0o700 });
    using log = openHostLog(join(folder, "log"), target, clock.nowMs);
    return await work({ host, target, log: log.write });
  };

  const wipe = ({ target, log }: Place, machine: MachineId, connect: Connect, signal: AbortSignal) =>
    removeMachine(machine, target, { connect, password, log, stage: log, forget: async () => {} }, signal);

  const make = (place: Place, connect: Connect, say: Say, signal: AbortSignal) =>
    addMachine(
      place.target,
      {
        connect,
        members: requireMembers(members),
        distribution,
        password,
        agentOptions,
        edgePorts: edgePorts(agentOptions),
        ignored: new Set(),
        givesPlace: true,
        claimed: new Set(),
        turns,
        linkMs,
        clock,
      },
      { stage: place.log, note: (text) => say(`${place.host} ${text}`), log: place.log },
      signal,
    );

  /** Makes the machine of its host, or of the next that can become it. */
  const create = async (machine: MachineId, say: Say, signal: AbortSignal): Promise<boolean> => {
    requireMembers(members);
    const tried = new Set<string>();
    while (tried.size < mostTried) {
      const host = await book.claim(machine, tried);
      if (host === null) break;
      try {
        const { already } = await at(host, machine, (place) =>
          connected(signal, async (connect) => {
            const left = book.leftOn(host);
            if (left !== null) {
              sayWiped(say, host, await wipe(place, left, connect, signal));
              await book.wiped(host);
            }
            return make(place, connect, say, signal);
          }),
        );
        await book.settle(machine);
        say(already ? `${machine} is ${host}` : `${machine} is ${host} now`);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DroverError) || !isOfHost(error)) throw error;
        say(`${host}: ${wordsOf(error)}`);
        tried.add(host);
      }
    }
    say(tried.size < mostTried ? "no other host of the list is spare" : `${mostTried} hosts failed, more are not tried`);
    return false;
  };

  const destroy = async (machine: MachineId, say: Say, signal: AbortSignal): Promise<boolean> => {
    const own = book.of(machine);
    if (own === null) return true;
    const { host } = own;
    let isWiped = true;
    try {
      sayWiped(say, host, await at(host, machine, (place) => connected(signal, (connect) => wipe(place, machine, connect, signal))));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof DroverError) || !isOfHost(error)) throw error;
      // It is a stranger all the same once it is no member any more, and nothing else becomes of it before it was wiped.
      say(`${host} is put away and will be wiped before it is used again: ${wordsOf(error)}`);
      isWiped = false;
    }
    await book.free(machine, isWiped);
    return true;
  };

  const runConverge = async (machine: MachineId, say: Say, timeoutMs: number, signal: AbortSignal): Promise<boolean> => {
    const host = book.of(machine)?.host;
    if (host === undefined) {
      say(`no host is ${machine}`);
      return false;
    }
    return at(host, machine, (place) =>
      connected(signal, async (connect) => {
        await make(place, connect, say, signal);
        await book.settle(machine);
        if (converge === null) return true;
        const values = {
          ...hostVariables(pool, machine, host),
          ...Object.fromEntries(secrets.map((name) => [name, secret(name)])),
        };
        await using connection = await connect(place.target, place.log, signal);
        const there = await openHost({ connection, log: place.log, password }, signal);
        const { exitCode, output } = await there.run(scriptOf(values, converge), timeoutMs, signal);
        if (output !== "") say(output);
        if (exitCode !== 0) say(`the script exited with ${exitCode}`);
        return exitCode === 0;
      }),
    );
  };

  return {
    name: "ssh",
    can: abilitiesOf(pool.provider),
    about: async (signal) => ({ publicKey: key === null ? await ownPublicKey(ownKey, signal) : null, spare: book.spare() }),
    list: async (signal) => {
      signal.throwIfAborted();
      const waiting = [...book.made()];
      const found: ProvidedMachine[] = [];
      const askNext = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const [name, host] = next;
          const target = parseTarget(host);
          found.push({ name, address: target.host, power: (await answersSsh(target, signal)) ? "on" : "off" });
        }
      };
      await Promise.all(Array.from({ length: Math.min(askedAtOnce, waiting.length) }, askNext));
      return found;
    },
    create: (call, signal) => endOf(call, signal, (say, until) => create(call.machine, say, until)),
    destroy: (call, signal) => endOf(call, signal, (say, until) => destroy(call.machine, say, until)),
    converge: (call, signal) => endOf(call, signal, (say, until) => runConverge(call.machine, say, call.timeoutMs, until)),
    power: (call, signal) => endOf(call, signal, (say, until) => switchHost(call, say, until)),
  };
}

/** Where keys of secrets lie while a call lasts. */
const callsOf = (folder: string) => join(folder, "calls");

/** Takes away what calls left that a killed server made. @param folder as of the provider */
export async function sweepCalls(folder: string): Promise<void> {
  await rm(callsOf(folder), { recursive: true, force: true });
}

interface Place {
  readonly host: string;
  readonly target: Target;
  readonly log: (line: string) => void;
}

function requireMembers(members: Members | null): Members {
  if (members !== null) return members;
  throw new DroverError("NOT_YET_SUPPORTED", "other machines cannot reach this server", {
    hint: 'Start it with "drover up --link HOST:7374", with an address of that machine that the others reach.',
  });
}

function sayWiped(say: Say, host: string, kept: string | null): void {
  say(`${host} was wiped${kept === null ? "" : `, but for the volumes of apps in ${kept}`}`);
}

/** The script, below its variables: in it and not around it, since neither arguments nor the connection may show them to other users. */
function scriptOf(values: Readonly<Record<string, string>>, script: string): string {
  const assignments = Object.entries(values).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`);
  return `${assignments.join("")}${script}\n`;
}
