import { resolve } from "node:path";
import { parseListenAddress } from "#host/address.ts";
import { type Distribution, ownRoot, packDistribution } from "#host/distribution.ts";
import { DroverError } from "#model/errors.ts";
import { took } from "#model/quantities.ts";
import { formatTarget, parseTarget, type Target } from "#model/ssh-target.ts";
import { addMachine } from "#ssh/add-machine.ts";
import { openSsh } from "#ssh/client.ts";
import type { Copied } from "#ssh/copy-parts.ts";
import { edgePorts } from "#ssh/edge-ports.ts";
import { openHostLog } from "#ssh/host-log.ts";
import { type PreflightCheck, preflightChecks } from "#ssh/preflight.ts";
import { SiteTurns } from "#ssh/site-turns.ts";
import { readLabel, wholeNumber } from "../arguments.ts";
import type { Session } from "../command.ts";
import { styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { count } from "../output/time.ts";
import { addMachines, type HostOutcome } from "./add-machines.ts";
import { openOnlookers } from "./onlookers.ts";
import { readTargets, requireTargets } from "./read-targets.ts";
import { openRecords, type Records, type Way } from "./records.ts";
import { membersOf, passwordSource, readJump, type SshOptions } from "./session.ts";
import { createStages } from "./stages.ts";

export interface AddOptions extends SshOptions {
  readonly file?: string;
  readonly retry?: boolean;
  readonly label?: readonly string[];
  readonly parallel: string;
  readonly http?: string;
  readonly https?: string;
  readonly ignore?: readonly string[];
}

/** What is asked for, now or the last time. */
interface Asked {
  readonly hosts: readonly { readonly target: Target; readonly way: Way }[];
  /** Of `drover up` there. */
  readonly agentOptions: readonly string[];
}

/** Each is a process of `ssh` here, of some ten megabytes. */
const mostParallel = 100;
/** An agent that was started links within a second or two; a slow disk and a busy machine take longer. */
const usualLinkMs = 60_000;

/**
 * `drover machine add`.
 * @throws {DroverError} what went wrong with the only host, or HOSTS_FAILED; USAGE, NAME_INVALID, NOT_YET_SUPPORTED before anything is done
 */
export async function addCommand(session: Session, args: readonly string[], options: AddOptions): Promise<number> {
  const { clock, home, progress, signal } = session;
  const parallel = wholeNumber(options.parallel, "--parallel", 1, mostParallel);
  const ignored = new Set((options.ignore ?? []).map(readCheck));
  const records = await openRecords(home.ssh);
  const asked = options.retry === true ? await askedLastTime(records, args, options) : await askedNow(args, options);
  const members = await membersOf(session);
  const targets = asked.hosts.map(({ target }) => target);

  const left = new Set(targets);
  const note = () =>
    records.writeLastAdd({
      agentOptions: asked.agentOptions,
      hosts: asked.hosts.map(({ target, way }) => ({ ...way, isDone: !left.has(target) })),
    });
  await note();

  const stages = createStages(session, targets);
  await using onlookers = openOnlookers({ api: session.api, clock, id: crypto.randomUUID() }, targets);
  const { jump = null, identity = null } = asked.hosts[0]?.way ?? {};
  await using ssh = await openSsh({ knownHosts: records.knownHosts, isPersonal: true, jump, identity, environment: session.environment });
  // Once for all hosts, and not before one of them is fit to be looked at.
  let packing: Promise<Distribution> | null = null;
  const context = {
    connect: ssh.connect,
    members,
    distribution: () => (packing ??= packDistribution(ownRoot, records.partsFolder, signal)),
    password: passwordSource(session, options.sudoPasswordFile, stages.quiet),
    agentOptions: asked.agentOptions,
    edgePorts: edgePorts(asked.agentOptions),
    ignored,
    givesPlace: false,
    claimed: new Set<string>(),
    turns: new SiteTurns(clock),
    linkMs: session.common.timeoutMs ?? usualLinkMs,
    clock,
  };
  const logs = new Map<Target, string>();
  const notes = new Map<Target, string[]>(targets.map((target) => [target, []]));
  const outcomes = await addMachines(
    targets,
    {
      parallel,
      monotonicMs: clock.monotonicMs,
      add: async (target, until) => {
        using log = openHostLog(records.logFolder, target, clock.nowMs);
        logs.set(target, log.file);
        try {
          const { stage: show, note: tell } = stages.of(target, log.write);
          const stage = (text: string, share = "") => {
            show(text, share);
            onlookers.stage(target, text, share);
          };
          const keep = (text: string) => {
            notes.get(target)?.push(text);
            tell(text);
            onlookers.note(target, text);
          };
          return await addMachine(target, context, { stage, note: keep, log: log.write }, until);
        } catch (error) {
          log.write(`failed: ${String(error)}`);
          throw error;
        }
      },
      onEnd: async (outcome) => {
        const { target, machine, failure, already, copied, tookMs } = outcome;
        onlookers.ended(outcome);
        stages.ended(
          target,
          failure === null ? `${already ? "is" : "is now"} machine "${machine}", ${took(tookMs)}${whence(copied)}` : null,
        );
        const way = asked.hosts.find((host) => host.target === target)?.way;
        if (machine === null || way === undefined) return;
        left.delete(target);
        await records.noteWay(machine, way);
        await note();
      },
    },
    signal,
  );
  // Once more, since two that end together may have written in the other order.
  await note();
  progress.clear();
  const told = outcomes.map((outcome) => ({
    ...outcome,
    notes: notes.get(outcome.target) ?? [],
    log: logs.get(outcome.target) ?? records.logFolder,
  }));
  return answer(session, told);
}

/** How much of what was copied did not come from here. */
function whence({ sentBytes, nearBytes }: Copied): string {
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  return nearBytes === 0 ? "" : `, ${mebibytes(nearBytes)} of ${mebibytes(sentBytes + nearBytes)} MiB from machines beside it`;
}

/** @throws {DroverError} USAGE */
function readCheck(text: string): PreflightCheck {
  const check = preflightChecks.find((one) => one === text);
  if (check !== undefined) return check;
  throw new DroverError("USAGE", `--ignore is "${text}"`, { hint: `Give one of ${preflightChecks.join(", ")}.` });
}

/** @throws {DroverError} USAGE, NAME_INVALID */
async function askedNow(args: readonly string[], options: AddOptions): Promise<Asked> {
  const labels = Object.fromEntries((options.label ?? []).map(readLabel));
  const targets = [
    ...args.map((text) => parseTarget(text, labels)),
    ...(options.file === undefined ? [] : await readTargets(options.file, labels)),
  ];
  requireTargets(targets);
  const agentOptions = (["http", "https"] as const).flatMap((name) => {
    const address = options[name];
    if (address === undefined) return [];
    parseListenAddress(address, 1);
    return [`--${name}`, address];
  });
  const jump = readJump(options.jump);
  const identity = options.identity === undefined ? null : resolve(options.identity);
  return {
    hosts: targets.map((target) => ({ target, way: { target: formatTarget(target), labels: target.labels, jump, identity } })),
    agentOptions,
  };
}

/** @throws {DroverError} USAGE if nothing is left to do */
async function askedLastTime(records: Records, args: readonly string[], options: AddOptions): Promise<Asked> {
  const said = (["file", "label", "http", "https", "jump", "identity"] as const).find((name) => options[name] !== undefined);
  if (args.length > 0 || said !== undefined)
    throw new DroverError("USAGE", `--retry is given together with ${said === undefined ? "hosts" : `--${said}`}`, {
      hint: "It does what was said the last time; to say it anew, leave --retry out.",
    });
  const last = await records.lastAdd();
  const hosts = last?.hosts.filter(({ isDone }) => !isDone) ?? [];
  if (last === null || hosts.length === 0)
    throw new DroverError("USAGE", "no host of the last time is left to do", { hint: "Name hosts, or give --file." });
  return {
    hosts: hosts.map(({ isDone: _, ...way }) => ({ target: parseTarget(way.target, way.labels), way })),
    agentOptions: last.agentOptions,
  };
}

/** @throws {DroverError} if some failed */
function answer(
  { out }: Session,
  outcomes: readonly (HostOutcome & { readonly notes: readonly string[]; readonly log: string })[],
): number {
  const hosts = outcomes.map(({ target, tookMs, copied, ...rest }) => ({
    host: formatTarget({ ...target, name: null }),
    ...rest,
    ...copied,
    tookMs: Math.round(tookMs),
  }));
  const failed = hosts.filter(({ failure }) => failure !== null);
  const [only] = failed;
  if (out.json && only === undefined) out.value({ hosts });
  if (!out.json && (only === undefined || hosts.length > 1)) {
    const rows = hosts.map(({ host, machine, already, failure, tookMs }) => [
      host,
      machine ?? "-",
      failure !== null ? styled("red", "failed") : already ? "was one already" : `joined in ${took(tookMs)}`,
    ]);
    for (const line of table(["HOST", "MACHINE", ""], rows, out.columns)) out.line(line);
  }
  if (only === undefined) return 0;
  if (hosts.length === 1 && only.failure !== null) {
    const { code, message, hint, details } = only.failure;
    throw new DroverError(code, `"${only.host}" did not become a machine: ${message}`, {
      hint: `${hint} Its log: ${only.log}`,
      details: { hosts, ...(typeof details === "object" ? details : {}) },
    });
  }
  for (const { host, failure, log } of failed) {
    out.note(`${styled("red", host)}: ${failure?.message}   [${failure?.code}]`);
    if (failure?.hint !== "") out.note(`  ${failure?.hint}`);
    out.note(`  Its log: ${log}`);
  }
  throw new DroverError("HOSTS_FAILED", `${failed.length} of ${count(hosts.length, "host")} did not become machines`, {
    hint: 'Mend what is named above, then run "drover machine add --retry", which does these alone.',
    details: { hosts },
  });
}
