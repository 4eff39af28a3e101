import { writeFile } from "node:fs/promises";
import type { MachineToken, MachineView } from "#model/api.ts";
import { DroverError } from "#model/errors.ts";
import { apiPath } from "../api/client.ts";
import type { Noun, Verb } from "../command.ts";
import { table } from "../output/table.ts";
import { confirm } from "../prompt.ts";
import { describeMachine } from "./machines.ts";

const list = {
  summary: "list machines",
  async run({ api, out, signal }) {
    const { machines } = await api.call<{ machines: MachineView[] }>("GET", apiPath(["machines"]), signal);
    if (out.json) {
      out.value({ machines });
      return 0;
    }
    const rows = machines.map((machine) => [
      machine.id,
      machine.linked ? "linked" : "does not answer",
      String(machine.cores),
      gibibytes(machine.memoryBytes),
      String(machine.instances),
      labelsOf(machine.labels),
    ]);
    for (const line of table(["MACHINE", "STATE", "CORES", "MEMORY", "INSTANCES", "LABELS"], rows, out.columns)) out.line(line);
    return 0;
  },
} satisfies Verb & { summary: string };

const show = {
  summary: "show one machine, and what isolation holds on it",
  configure: (command) => command.argument("<name>", "the machine"),
  async run({ api, out, signal }, { args: [name = ""] }) {
    const { machines } = await api.call<{ machines: MachineView[] }>("GET", apiPath(["machines"]), signal);
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

const remove = {
  summary: "forget a machine: its certificate is worth nothing from then on",
  configure: (command) =>
    command
      .argument("<name>", "the machine")
      .addHelpText("after", '\nWhat runs there goes on until "drover down" there; its instances are started on other machines.'),
  async run(session, { args: [name = ""] }) {
    const { api, out, signal } = session;
    await confirm(session, `this removes the machine "${name}" from this Drover`, name);
    const removed = await api.call<{ machine: string }>("DELETE", apiPath(["machines", name]), signal);
    if (out.json) out.value(removed);
    else out.line(`removed ${removed.machine}`);
    return 0;
  },
} satisfies Verb & { summary: string };

export default { verbs: { ls: list, show, token, remove } } satisfies Noun;

function readLabel(text: string): readonly [string, string] {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return [key, value];
  throw new DroverError("USAGE", `"${text}" is no label`, { hint: 'Write KEY=VALUE, such as "zone=a".' });
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const texts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return texts.length === 0 ? "-" : texts.join(" ");
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
