import { Command, CommanderError, type OutputConfiguration } from "commander";
import { DroverError } from "#model/errors.ts";
import { durationMs, nearest } from "./arguments.ts";
import type { Call, CommandModule, CommonOptions, Verb } from "./command.ts";
import { commandTable } from "./command-table.ts";

/** What was asked for, parsed: the verb to run, or a text that answers by itself (help). */
export type Invocation =
  | { readonly kind: "verb"; readonly verb: Verb; readonly call: Call<Readonly<Record<string, unknown>>>; readonly common: CommonOptions }
  | { readonly kind: "text"; readonly text: string; readonly exit: number };

interface Parsed {
  verb?: Verb;
  call?: Call<Readonly<Record<string, unknown>>>;
  text: string;
}

/** Common options that take a value: their value is not the command's name. */
const valuedOptions = new Set(["--space", "-s", "--home", "--timeout"]);

/**
 * Reads a command line, loading the one command that it names.
 * @throws {DroverError} USAGE, with the nearest command or option as the hint
 */
export async function parseCommandLine(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Invocation> {
  const args = helpAsOption(argv);
  const name = commandName(args);
  const entry = name === null || !Object.hasOwn(commandTable, name) ? undefined : commandTable[name];
  if (name !== null && entry === undefined) throw unknownCommand(name);

  const parsed: Parsed = { text: "" };
  const program = createProgram(parsed);
  if (name !== null && entry !== undefined) {
    addModule(program.command(name), (await entry.load()).default, parsed, entry.summary);
  } else {
    for (const [other, { group, summary, hidden }] of Object.entries(commandTable)) {
      if (hidden !== true) program.command(other).description(summary).helpGroup(group);
    }
    if (args.length === 0) return { kind: "text", text: program.helpInformation(), exit: 2 };
  }
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "text", text: parsed.text, exit: 0 };
    if (error.code === "commander.help") return { kind: "text", text: parsed.text, exit: 2 };
    throw usageError(error, name);
  }
  if (parsed.verb === undefined || parsed.call === undefined) return { kind: "text", text: program.helpInformation(), exit: 2 };
  return { kind: "verb", verb: parsed.verb, call: parsed.call, common: commonOptions(parsed.call.options, environment) };
}

/** Whether errors have to be JSON; asked before, and in case of an error instead of, parsing. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end === -1 ? undefined : end).includes("--json");
}

/** Names of the commands that people are told of. */
export const commandNames: readonly string[] = Object.keys(commandTable).filter((name) => commandTable[name]?.hidden !== true);

/** The command itself, with its arguments and options. */
export async function describeCommand(name: string): Promise<Command | null> {
  const entry = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
  if (entry === undefined) return null;
  const command = new Command(name);
  addModule(command, (await entry.load()).default, { text: "" }, entry.summary);
  return command;
}

function createProgram(parsed: Parsed): Command {
  const program = new Command("drover")
    .description("Declare apps; Drover makes them true and keeps them true.")
    .usage("<command> [options]")
    .enablePositionalOptions()
    .helpCommand(false)
    .addHelpText("after", '\n"drover help <command>" says more about one. Docs: docs/ of the project.');
  quiet(program, parsed);
  addCommonOptions(program);
  return program;
}

function addModule(command: Command, module: CommandModule, parsed: Parsed, summary: string): void {
  command.description(summary);
  quiet(command, parsed);
  if (!("verbs" in module)) {
    addVerb(command, module, parsed);
    return;
  }
  command.usage("<command> [options]").helpCommand(false);
  addCommonOptions(command);
  for (const [name, verb] of Object.entries(module.verbs)) {
    const child = command.command(name).description(verb.summary);
    quiet(child, parsed);
    addVerb(child, verb, parsed);
  }
}

function addVerb(command: Command, verb: Verb, parsed: Parsed): void {
  verb.configure?.(command);
  addCommonOptions(command);
  if (verb.takesCommand === true) command.passThroughOptions();
  command.action(() => {
    const args = verb.takesCommand === true ? withCommandLine(command) : command.args;
    parsed.verb = verb;
    parsed.call = { args, options: command.optsWithGlobals() };
  });
}

/** Options between the first argument and the command's own words are ours: `drover exec shop --process web -- ls -la`. */
function withCommandLine(command: Command): readonly string[] {
  const [first = "", ...rest] = command.args;
  const { operands, unknown } = command.parseOptions(rest);
  const [stray] = unknown;
  if (stray === undefined) return [first, ...operands];
  throw new DroverError("USAGE", `unknown option "${stray}"`, { hint: 'Put "--" before a command that starts with an option.' });
}

function addCommonOptions(command: Command): void {
  command.optionsGroup("Common options:");
  // A verb may take several spaces in place of acting in one.
  if (command.options.every(({ long }) => long !== "--space"))
    command.option("-s, --space <name>", "the space (default: $DROVER_SPACE, else default)");
  command
    .option("--json", "answer in JSON, errors too")
    .option("-y, --yes", "do not ask before something is destroyed")
    .option("--detach", "do not wait until it has come true")
    .option("--timeout <duration>", "how long to wait, such as 90s or 10m")
    .option("--home <folder>", "folder of the Drover on this machine (default: $DROVER_HOME)")
    .helpOption("-h, --help", "show this");
}

function quiet(command: Command, parsed: Parsed): void {
  const output: OutputConfiguration = { writeOut: (text) => void (parsed.text += text), writeErr: (text) => void (parsed.text += text) };
  command.exitOverride().configureOutput(output).showSuggestionAfterError(true);
}

function commonOptions(
  options: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): CommonOptions {
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  const timeout = text(options["timeout"]);
  return {
    json: options["json"] === true,
    yes: options["yes"] === true,
    detach: options["detach"] === true,
    space: text(options["space"]) ?? (environment["DROVER_SPACE"] || null),
    home: text(options["home"]),
    timeoutMs: timeout === null ? null : durationMs(timeout, "--timeout"),
  };
}

/** `drover help ps` is `drover ps --help`; `drover help` is `drover --help`. */
function helpAsOption(argv: readonly string[]): readonly string[] {
  return argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
}

function commandName(args: readonly string[]): string | null {
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (valuedOptions.has(arg)) index++;
    else if (!arg.startsWith("-")) return arg;
  }
  return null;
}

function unknownCommand(name: string): DroverError {
  const near = nearest(name, commandNames);
  return new DroverError("USAGE", `there is no command "${name}"`, {
    hint: near === null ? 'Run "drover help" for the list.' : `Did you mean "${near}"? "drover help" has the list.`,
  });
}

/** Commander's words, in our form. */
function usageError(error: CommanderError, name: string | null): DroverError {
  const [first = "", ...rest] = error.message.split("\n");
  const suggestion = /Did you mean (?:one of )?(.+?)\?/.exec(rest.join(" "))?.[1];
  const help = `"drover ${name === null ? "help" : `help ${name}`}" shows how it is called.`;
  return new DroverError("USAGE", first.replace(/^error: /, "").replace(/'([^']*)'/g, '"$1"'), {
    hint: suggestion === undefined ? capital(help) : `Did you mean "${suggestion}"? ${help}`,
  });
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
