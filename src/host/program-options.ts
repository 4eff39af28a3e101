import { editDistance } from "#model/edit-distance.ts";
import { DroverError } from "#model/errors.ts";

/** One option of a long-running program: what the command line may say, and its line of help, in one place. */
export interface ProgramOption {
  /** What stands after it, such as `HOST:PORT`; null: nothing, it is a switch. */
  readonly value: string | null;
  readonly help: string;
  /** It may be given several times, and each counts; of any other the last one does. */
  readonly isRepeated?: true;
  /** Not for people. */
  readonly isHidden?: true;
}

/** By name, such as `--api`. */
export type ProgramOptions = Readonly<Record<string, ProgramOption>>;

export interface GivenOptions<Name extends string> {
  one(name: Name): string | undefined;
  all(name: Name): readonly string[];
  has(name: Name): boolean;
}

/** Whether the way to call it is asked for in place of the program. */
export function wantsHelp(args: readonly string[]): boolean {
  return args.includes("--help") || args.includes("-h");
}

/** What `--help` prints. */
export function usageOf(program: string, about: string, options: ProgramOptions): string {
  const shown = Object.entries(options).filter(([, { isHidden }]) => isHidden !== true);
  const rows = shown.map(([name, { value, help, isRepeated }]) => [
    value === null ? name : `${name} ${value}`,
    isRepeated === true ? `${help}; may be repeated` : help,
  ]);
  rows.push(["-h, --help", "show this"]);
  const width = Math.max(...rows.map(([left = ""]) => left.length));
  const lines = rows.map(([left = "", right = ""]) => `  ${left.padEnd(width)}  ${right}\n`);
  return `Usage: drover ${program} [options]\n\n${about}\n\n${lines.join("")}`;
}

/** Reads `--name value`, `--name=value` and switches. @throws {DroverError} USAGE */
export function readOptions<Options extends ProgramOptions>(
  program: string,
  options: Options,
  args: readonly string[],
): GivenOptions<Extract<keyof Options, string>> {
  const given = new Map<string, string[]>();
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const equals = arg.indexOf("=");
    const name = equals === -1 ? arg : arg.slice(0, equals);
    if (!Object.hasOwn(options, name)) throw noSuchOption(program, options, name);
    const takesValue = options[name]?.value !== null;
    if (!takesValue && equals !== -1) throw usage(`"${name}" takes no value`, program);
    const value = takesValue ? (equals === -1 ? args[++at] : arg.slice(equals + 1)) : "";
    if (value === undefined) throw usage(`"${name}" needs ${options[name]?.value} after it`, program);
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  return {
    one: (name) => given.get(name)?.at(-1),
    all: (name) => given.get(name) ?? [],
    has: (name) => given.has(name),
  };
}

function noSuchOption(program: string, options: ProgramOptions, name: string): DroverError {
  if (!name.startsWith("-")) return usage(`"${name}" is no option`, program);
  const close = Object.keys(options).find((option) => options[option]?.isHidden !== true && editDistance(option, name) <= slipsIn(name));
  if (close === undefined) return usage(`there is no option "${name}"`, program);
  return new DroverError("USAGE", `there is no option "${name}"`, { hint: `Did you mean "${close}"?` });
}

/** Letters that a slip of the finger changes: a third of the name at most, or "--nope" would be meant for "--home". */
function slipsIn(name: string): number {
  return Math.max(1, Math.floor((name.length - "--".length) / 3));
}

function usage(message: string, program: string): DroverError {
  return new DroverError("USAGE", message, { hint: `Run "drover ${program} --help" to see the options.` });
}
