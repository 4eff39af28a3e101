import { writeFile } from "node:fs/promises";
import type { MachineList, MachineToken, MachineView } from "#model/api-machines.ts";
import { DroverError } from "#model/errors.ts";
import { type InstanceId, shortInstanceId } from "#model/names.ts";
import { apiPath } from "../api/client.ts";
import { readLabel } from "../arguments.ts";
import type { Noun, Session, Verb } from "../command.ts";
import { styled } from "../output/style.ts";
import { table } from "../output/table.ts";
import { count } from "../output/time.ts";
import { until } from "../wait/until.ts";
import { add } from "./machine-add.ts";
import { exec } from "./machine-exec.ts";
import { logs } from "./machine-logs.ts";
import { remove } from "./machine-remove.ts";
import { upgrade } from "./machine-upgrade.ts";

const list = {
  summary: "list machines",
  async run({ api, out, signal }) {
    const { machines, join } = await api.call<MachineList>("GET", apiPath(["machines"]), signal);
    if (out.json) {
      out.value({ machines, join });
      return 0;
    }
    const rows = machines.map((machine) => [
      machine.id,
      stateOf(machine),
      String(machine.cores),
      gibibytes(machine.memoryBytes),
      String(machine.instances),
      machine.version ?? "–",
      machine.public === null ? "–" : machine.public ? "open" : "closed",
      labelsOf(machine.labels),
    ]);
    const header = ["MACHINE", "STATE", "CORES", "MEMORY", "INSTANCES", "VERSION", "EDGE", "LABELS"];
    for (const line of table(header, rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const show = {
  summary: "show what isolation between apps holds on a machine, or on all",
  configure: (command) => command.argument("[name]", "the machine (default: all)"),
  async run({ api, out, signal }, { args: [name] }) {
    const { machines } = await api.call<MachineList>("GET", apiPath(["machines"]), signal);
    if (name === undefined) {
      if (out.json) out.value({ machines });
      else for (const line of machines.flatMap(describeMachine)) out.line(line);
      return 0;
    }
    const machine = machines.find(({ id }) => id === name);
    if (machine === undefined)
      throw new DroverError("MACHINE_NOT_FOUND", `there is no machine "${name}"`, {
        hint: '"drover machine ls" lists those that there are.',
      });
    if (out.json) out.value(machine);
    else for (const line of describeMachine(machine)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

interface TokenOptions {
  readonly label?: readonly string[];
  readonly out?: string;
}

const token = {
  summary: "make a token with which one machine joins",
  configure: (command) =>
    command
      .argument("<name>", "what the machine is to be called")
      .option("--label <key=value>", "what it is, such as zone=a; may be repeated", (one: string, all: string[] = []) => [...all, one])
      .option("--out <file>", "write the token there, readable by you alone, in place of printing it")
      .addHelpText(
        "after",
        `
The token is good once, for a machine of that name, within 15 minutes. On the new machine:
  drover up --join HOST:PORT --token-file FILE`,
      ),
  async run({ api, out, signal }, { args: [name = ""], options }) {
    const { label = [], out: file } = options as TokenOptions;
    const body = { machine: name, labels: Object.fromEntries(label.map(readLabel)) };
    const made = await api.call<MachineToken>("POST", apiPath(["machine-tokens"]), signal, { body });
    if (file !== undefined) await writeFile(file, `${made.token}\n`, { mode: 0o600 });
    if (out.json) {
      out.value(file === undefined ? made : { ...made, token: null, file });
      return 0;
    }
    if (file === undefined) out.line(made.token);
    out.note(`on the new machine, within 15 minutes: drover up --join ${made.address} --token-file ${file ?? "FILE"}`);
    return 0;
  },
} satisfies Verb & { summary: string };

/** An app may take a minute to stop, and they go one after another. */
const drainTimeoutMs = 30 * 60_000;

const drain = {
  summary: "move what a machine runs to others, step by step, and let it take nothing new",
  configure: (command) =>
    command
      .argument("<name>", "the machine")
      .option("--force", "stop what can go nowhere else, because its volumes are there, until the machine takes instances again"),
  async run(session, { args: [name = ""], options }) {
    const { api, out, progress, common, signal } = session;
    const { force = false } = options as { readonly force?: true };
    const { bound } = await change(session, name, { cordoned: true, draining: true, forced: force });
    let machine: MachineView | null = null;
    // A server of an older version says neither what is about to start there nor whether it knows all of it.
    const left = () => (machine === null ? 0 : machine.instances + (machine.pending ?? 0) - (force ? 0 : machine.bound));
    if (!common.detach) {
      let told: readonly string[] = [];
      const late = () => ({
        message: `${count(left(), "instance")} of ${name} had not moved${told.length === 0 ? "" : ", and cannot as things are,"}`,
        details: { machine: name, left: left(), staying: machine?.staying ?? [] },
        ...(told.length === 0
          ? {}
          : {
              hint: `Give them another machine to go to, or end the drain with "drover machine uncordon ${name}"; it goes on without this command.`,
            }),
      });
      await until(session, { timeoutMs: common.timeoutMs ?? drainTimeoutMs, late }, async (asked) => {
        const { machines } = await api.call<MachineList>("GET", apiPath(["machines"]), asked);
        const before = machine;
        machine = machines.find(({ id }) => id === name) ?? null;
        // A server that has just started knows nothing of it yet; one that had joined and is not there any more was removed.
        if (machine === null ? before?.joined === true : machine.known !== false && left() === 0) return true;
        const stuck = stuckLines(machine);
        // Said when it is new, and not at every look.
        for (const line of stuck) if (!told.includes(line)) progress.note(line);
        told = stuck;
        progress.show([
          `${name}  ${machine !== null && machine.known !== false ? `${count(left(), "instance")} to move` : "has not told yet what it runs"}`,
        ]);
        return null;
      });
      progress.clear();
      requireNoneBound();
    }
    signal.throwIfAborted();
    if (out.json) out.value({ machine: name, instances: left() });
    else
      out.line(
        common.detach ? `${name} is being drained` : `${name} is drained; "drover machine uncordon ${name}" lets it take instances again`,
      );
    return 0;

    function requireNoneBound(): void {
      const stay = force ? 0 : (machine?.bound ?? 0);
      if (stay === 0) return;
      throw new DroverError(
        "CONFLICT",
        `${count(stay, "instance")} of ${bound.join(", ")} ${stay === 1 ? "stays" : "stay"} on ${name}, which has the volumes; all else has moved`,
        {
          hint: `It goes on running. "drover machine drain ${name} --force" stops it until the machine takes instances again.`,
        },
      );
    }
  },
} satisfies Verb & { summary: string };

const cordon = {
  summary: "let a machine take nothing new",
  configure: (command) => command.argument("<name>", "the machine"),
  async run(session, { args: [name = ""] }) {
    const changed = await change(session, name, { cordoned: true });
    if (session.out.json) session.out.value(changed);
    else session.out.line(`${name} takes nothing new`);
    return 0;
  },
} satisfies Verb & { summary: string };

const uncordon = {
  summary: "let a machine take instances again, after cordon or drain",
  configure: (command) => command.argument("<name>", "the machine"),
  async run(session, { args: [name = ""] }) {
    const changed = await change(session, name, { cordoned: false, draining: false, forced: false });
    if (session.out.json) session.out.value(changed);
    else session.out.line(`${name} takes instances again`);
    return 0;
  },
} satisfies Verb & { summary: string };

const label = {
  summary: "say what a machine is, for apps that ask for it and for spreading over",
  configure: (command) =>
    command
      .argument("<name>", "the machine")
      .argument("<label...>", "KEY=VALUE sets a label, KEY- takes it away")
      .addHelpText(
        "after",
        `
An app says in its manifest which labels its machines must have: place: { labels: { disk: ssd } }.`,
      ),
  async run(session, { args: [name = "", ...texts] }) {
    const changed = await change(session, name, { labels: Object.fromEntries(texts.map(readLabelChange)) });
    if (session.out.json) session.out.value(changed);
    else session.out.line(`${name} has ${labelsOf(changed.labels, "no label")}`);
    return 0;
  },
} satisfies Verb & { summary: string };

interface Changed {
  readonly machine: string;
  readonly cordoned: boolean;
  readonly draining: boolean;
  readonly forced: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** As `space/app`. */
  readonly bound: readonly string[];
}

interface Change extends Partial<Omit<Changed, "machine" | "labels" | "bound">> {
  readonly labels?: Readonly<Record<string, string | null>>;
}

function change({ api, signal }: Session, name: string, body: Change): Promise<Changed> {
  return api.call<Changed>("PATCH", apiPath(["machines", name]), signal, { body });
}

export default { verbs: { ls: list, show, add, token, drain, cordon, uncordon, label, exec, logs, upgrade, remove } } satisfies Noun;

/** Which instances cannot leave a machine that is drained, and why. */
function stuckLines(machine: MachineView | null): readonly string[] {
  const stuck = (machine?.staying ?? []).filter(({ canMove }) => !canMove);
  return stuck.map(({ instance, app, why }) => `${shortInstanceId(instance as InstanceId)} of ${app} cannot move: ${why}`);
}

/** What it has, what of it leaves or stays, and what holds on it: lines for people. */
function describeMachine(machine: MachineView): readonly string[] {
  const has = `${count(machine.cores, "core")}, ${gibibytes(machine.memoryBytes)}, ${count(machine.instances, "instance")}`;
  return [
    `${styled("bold", machine.id)}  ${has}${machine.linked ? "" : ", its agent does not answer"}`,
    ...(machine.public === null ? [] : [`  edge        ${machine.public ? "takes" : "is closed to"} what comes from outside`]),
    ...(machine.entry === null
      ? []
      : [`  traffic     encrypted between machines, taken at port ${machine.entry.port} as ${machine.entry.name}`]),
    ...(machine.pool === null
      ? []
      : [
          `  pool        ${machine.pool.name} of space ${machine.pool.space}${machine.pool.intent === null ? "" : `: it ${machine.pool.intent}`}`,
        ]),
    ...machine.staying.map(
      ({ instance, app, canMove, why }) =>
        `  drain       ${shortInstanceId(instance as InstanceId)} of ${app} ${canMove ? "is still there" : "cannot move"}: ${why}`,
    ),
    ...Object.entries(machine.isolation).map(
      ([name, { holds, how }]) => `  ${name.padEnd(11)} ${holds ? "holds" : "does not hold"}: ${how}`,
    ),
  ];
}

function readLabelChange(text: string): readonly [string, string | null] {
  return text.endsWith("-") && !text.includes("=") ? [text.slice(0, -1), null] : readLabel(text);
}

function stateOf({ linked, draining, cordoned }: MachineView): string {
  if (!linked) return "does not answer";
  return draining ? "draining" : cordoned ? "cordoned" : "linked";
}

function labelsOf(labels: Readonly<Record<string, string>>, none = "-"): string {
  const texts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return texts.length === 0 ? none : texts.join(" ");
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
