import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Address, formatAddress } from "#host/address.ts";
import type { Distribution } from "#host/distribution.ts";
import type { Clock } from "#model/clock.ts";
import { DroverError } from "#model/errors.ts";
import type { Neighbour, NeighbourQuestion } from "#model/programs.ts";
import { took } from "#model/quantities.ts";
import { machineName, type Target } from "#model/ssh-target.ts";
import type { Connect } from "./client.ts";
import { type Copied, copyParts, nothingCopied } from "./copy-parts.ts";
import { type Host, openHost } from "./host.ts";
import { type Fault, judgeHost, notesOn, type PreflightCheck } from "./preflight.ts";
import type { SiteTurns } from "./site-turns.ts";
import { asksForTouch } from "./ssh-words.ts";

/** What the server is asked for while machines are added. */
export interface Members {
  /** Where machines join. */
  readonly join: Address;
  /** Names of machines whose agents are linked now. */
  linked(signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Machines that there are, linked or not. */
  known(signal: AbortSignal): Promise<ReadonlySet<string>>;
  createToken(name: string, labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string>;
  forget(name: string, signal: AbortSignal): Promise<void>;
  /** A machine of the host's site that gives it parts; null: none does. */
  neighbour(question: NeighbourQuestion, signal: AbortSignal): Promise<Neighbour | null>;
}

export interface AddContext {
  readonly connect: Connect;
  readonly members: Members;
  readonly distribution: () => Promise<Distribution>;
  readonly password: ((user: string, target: Target) => Promise<string>) | null;
  /** Options of `drover up` for the machines, checked: words without blanks. */
  readonly agentOptions: readonly string[];
  readonly edgePorts: readonly number[];
  readonly ignored: ReadonlySet<PreflightCheck>;
  /** A member of the name gives its place to the host, which is another one. */
  readonly givesPlace: boolean;
  /** Names that hosts of this call are getting: two that call themselves alike do not take each other's place. */
  readonly claimed: Set<string>;
  /** Of the hosts of this call. */
  readonly turns: SiteTurns;
  /** How long an agent that was started may take to link. */
  readonly linkMs: number;
  readonly clock: Clock;
}

export interface HostReport {
  /** What is being done, for whoever watches, and how far it is. */
  readonly stage: (text: string, share?: string) => void;
  /** What stays to be read: keys that were seen for the first time, what will not hold there. */
  readonly note: (text: string) => void;
  readonly log: (line: string) => void;
}

export interface Added {
  readonly machine: string;
  /** It was a machine before, and its agent is linked. */
  readonly already: boolean;
  readonly copied: Copied;
}

const lookEveryMs = 250;
/** What taking an attempt back may take, also after it was interrupted. */
const undoMs = 120_000;

/**
 * Makes one host a machine, step by step: look, copy, install, join, start, and see it linked. Every step finds what an earlier attempt has done. What goes wrong
 * before it has joined leaves whole parts there and nothing that runs; after that, what was done is taken back.
 * @throws {DroverError} SSH_FAILED, HOST_KEY_CHANGED, HOST_UNFIT with `details.faults`, NAME_INVALID, CONFLICT, and what joining throws
 */
export async function addMachine(target: Target, context: AddContext, report: HostReport, signal: AbortSignal): Promise<Added> {
  const { members, clock, agentOptions } = context;
  const { stage, note, log } = report;
  stage("connecting");
  const hear = (line: string) => {
    log(line);
    if (asksForTouch(line)) note("waits for you to touch your key");
  };
  await using connection = await context.connect(target, hear, signal);
  for (const { host, key } of connection.pinned) note(`the key of ${host} is pinned now, as it was not known: ${key}`);
  const ask = context.password;
  const password = ask === null ? null : (user: string) => ask(user, target);
  const host = await openHost({ connection, log, password }, signal);

  stage("looking");
  const facts = await host.facts(members.join, signal);
  const name = machineName(target, facts.hostName);
  const distribution = await context.distribution();
  const isLinked = (await members.linked(signal)).has(name);
  const missing = distribution.parts.filter(({ digest }) => !facts.parts.has(digest));
  const faults = judgeHost(facts, {
    architectures: [distribution.architecture],
    copyBytes: missing.reduce((sum, part) => sum + part.unpackedBytes, 0) + Math.max(0, ...missing.map(({ sizeBytes }) => sizeBytes)),
    ports: context.edgePorts,
    join: formatAddress(members.join),
    name,
    isLinked,
    nowMs: clock.nowMs(),
  }).filter(({ check }) => !context.ignored.has(check));
  if (faults.length > 0) throw unfit(faults);
  if (facts.member !== null && facts.agentRuns && isLinked) return { machine: name, already: true, copied: nothingCopied };
  for (const text of notesOn(facts)) note(text);
  const isKnown = (await members.known(signal)).has(name);
  if ((isKnown && facts.member === null && !context.givesPlace) || context.claimed.has(name))
    throw new DroverError("CONFLICT", `there is a machine "${name}" already, and this host is not it`, {
      hint: `Give it another name, as NAME=HOST, or take the other away with "drover machine remove ${name}".`,
    });

  context.claimed.add(name);
  const isMember = facts.member !== null && isKnown;

  const { neighbour } = members;
  const { turn, ...copied } = await copyParts(
    missing,
    { host, name, labels: target.labels, partly: facts.partly, turns: context.turns, neighbour, stage, log },
    signal,
  );
  // Others of its site wait for it until it is a machine, and gives them what they lack.
  using _ = turn;
  stage("installing");
  await host.install(distribution.version, distribution.parts, signal);
  try {
    if (!isMember) {
      if (facts.agentRuns) {
        stage("ending what ran for the machine that it was");
        await host.undo(signal);
      }
      stage("joining");
      await host.join(formatAddress(members.join), await members.createToken(name, target.labels, signal), signal);
    }
    stage("starting");
    await host.start(agentOptions, await unitFor(agentOptions), signal);
    stage("waiting for its agent");
    await untilLinked({ host, members, clock, name, log, linkMs: context.linkMs }, signal);
  } catch (error) {
    // Of what was a machine before, nothing is taken away.
    if (!isMember) await takeBack({ host, members, name, log, stage });
    throw error;
  }
  return { machine: name, already: false, copied };
}

/** The unit of the project, for where the command puts it. */
async function unitFor(agentOptions: readonly string[]): Promise<string> {
  const text = await readFile(join(import.meta.dirname, "../../packaging/systemd/drover.service"), "utf8");
  return text
    .replaceAll("/opt/drover/bin", "/opt/drover/current/bin")
    .replace(/^ExecStart=.*$/m, (line) => [line, ...agentOptions].join(" "));
}

interface Linking {
  readonly host: Host;
  readonly members: Members;
  readonly clock: Clock;
  readonly name: string;
  readonly log: (line: string) => void;
  readonly linkMs: number;
}

async function untilLinked({ host, members, clock, name, log, linkMs }: Linking, signal: AbortSignal): Promise<void> {
  const startedMs = clock.monotonicMs();
  while (!(await members.linked(signal)).has(name)) {
    if (clock.monotonicMs() - startedMs > linkMs) {
      const lines = await host.why(signal);
      for (const line of lines) log(`agent: ${line}`);
      throw new DroverError("UNHEALTHY", `its agent was started and has not linked within ${took(linkMs)}`, {
        hint: lines.length === 0 ? "Its log says more." : `Its last words: ${lines.at(-1)}`,
        details: { lines },
      });
    }
    await clock.sleep(lookEveryMs, signal);
  }
}

/** Also after an interruption, so with a signal of its own. What cannot be taken back is said, and the failure that led here stays the one that is told. */
async function takeBack({
  host,
  members,
  name,
  log,
  stage,
}: Omit<Linking, "clock" | "linkMs"> & { readonly stage: (text: string) => void }) {
  const signal = AbortSignal.timeout(undoMs);
  stage("taking back what was done");
  const steps = [
    ["the host", () => host.undo(signal)],
    ["the server", () => members.forget(name, signal)],
  ] as const;
  for (const [where, step] of steps) {
    try {
      await step();
    } catch (error) {
      log(`what was done on ${where} could not be taken back: ${String(error)}`);
    }
  }
}

function unfit(faults: readonly Fault[]): DroverError {
  return new DroverError("HOST_UNFIT", faults.map(({ what }) => what).join("; "), {
    hint: [...new Set(faults.map(({ remedy }) => remedy))].join(" "),
    details: { faults },
  });
}
