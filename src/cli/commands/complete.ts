import type { Command, Option } from "commander";
import { roles } from "#model/access.ts";
import type { AppSummary, InstanceView, ReleaseView, SpaceView } from "#model/api.ts";
import type { TokenView } from "#model/api-access.ts";
import { shortInstanceId } from "#model/names.ts";
import { apiPath } from "../api/client.ts";
import { appReference, defaultSpace } from "../arguments.ts";
import type { Session, Verb } from "../command.ts";

/** A person waits at every Tab; a server that takes longer has nothing to offer. */
const answerWithinMs = 400;

/** Prints the words that fit at the end of a command line, one a line. Anything that fails is no completion, and never a message in somebody's prompt. */
export default {
  configure: (command) => command.argument("[words...]", "the words so far; the last one is completed"),
  async run(session, { args }) {
    const typed = args.at(-1) ?? "";
    for (const word of await offered(session, args.slice(0, -1), typed)) if (word.startsWith(typed)) session.out.line(word);
    return 0;
  },
} satisfies Verb;

async function offered(session: Session, before: readonly string[], typed: string): Promise<readonly string[]> {
  const [name, ...rest] = before;
  const { names, describe } = session.catalogue;
  if (name === undefined) return [...names, "help"];
  if (name === "help") return names;
  let command: Command | null = await describe(name);
  if (command === null) return [];
  const words = [...rest];
  if (command.commands.length > 0) {
    const verb = words.shift();
    if (verb === undefined) return command.commands.map((child) => child.name());
    command = command.commands.find((child) => child.name() === verb) ?? null;
    if (command === null) return [];
  }
  const awaiting = optionOf(command, words.at(-1));
  if (awaiting !== undefined) return live(session, command, optionValues[awaiting.long ?? ""] ?? null, words);
  if (typed.startsWith("-")) return command.options.flatMap((option) => (option.long === undefined ? [] : [option.long]));
  const position = positionals(command, words).length;
  const argument = command.registeredArguments[position] ?? command.registeredArguments.findLast((one) => one.variadic);
  return live(session, command, argument?.name() ?? null, words);
}

const optionValues: Readonly<Record<string, string>> = {
  "--space": "space",
  "--app": "app",
  "--instance": "instance",
  "--process": "process",
  "--role": "role",
};

/** The option that takes the next word as its value, if `word` is one. */
function optionOf(command: Command, word: string | undefined): Option | undefined {
  return word === undefined
    ? undefined
    : command.options.find((option) => option.required && (option.long === word || option.short === word));
}

function positionals(command: Command, words: readonly string[]): readonly string[] {
  return words.filter((word, index) => !word.startsWith("-") && optionOf(command, words[index - 1]) === undefined);
}

function spaceIn(words: readonly string[]): string | null {
  const at = words.findIndex((word) => word === "--space" || word === "-s");
  return at === -1 ? null : (words[at + 1] ?? null);
}

/** Names of what runs, by what is asked for. */
async function live(session: Session, command: Command, what: string | null, words: readonly string[]): Promise<readonly string[]> {
  const positional = positionals(command, words);
  const named = spaceIn(words) ?? session.common.space;
  const signal = AbortSignal.any([session.signal, AbortSignal.timeout(answerWithinMs)]);
  const get = <T>(parts: readonly string[]) => session.api.call<T>("GET", apiPath(parts), signal);
  const spaces = async () => (await get<{ spaces: SpaceView[] }>(["spaces"])).spaces.map((space) => space.name);
  try {
    switch (what) {
      case "shell":
        return ["bash", "zsh", "fish"];
      case "role":
        return roles;
      case "token":
        return (await get<{ tokens: TokenView[] }>(["tokens"])).tokens.map((token) => token.name);
      case "space":
        return await spaces();
      case "name":
        return command.parent?.name() === "space" ? await spaces() : [];
      case "app": {
        const { apps } = await get<{ apps: AppSummary[] }>(["apps"]);
        const shown = named === null ? apps : apps.filter((app) => app.space === named);
        return shown.map((app) => (app.space === (named ?? defaultSpace) ? app.name : `${app.space}/${app.name}`));
      }
      case "process":
      case "instance": {
        const { space, app } = appReference(positional[0], named);
        const { instances } = await get<{ instances: InstanceView[] }>(["spaces", space, "apps", app, "instances"]);
        const names = instances.map((one) => (what === "process" ? one.process : shortInstanceId(one.id)));
        return [...new Set(names)];
      }
      case "release": {
        const { space, app } = appReference(positional[0], named);
        const { releases } = await get<{ releases: ReleaseView[] }>(["spaces", space, "apps", app, "releases"]);
        return releases.map((release) => String(release.number));
      }
      default:
        return [];
    }
  } catch {
    // A completion that cannot be had is none; what is wrong, the command itself will say.
    return [];
  }
}
