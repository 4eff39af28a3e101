import type { SavedSearchView } from "#model/api-logs.ts";
import { DroverError } from "#model/errors.ts";
import { kindsOfSpaces, logKinds } from "#model/log-kind.ts";
import { apiPath } from "../api/client.ts";
import { appReference, defaultSpace, oneOf, wholeNumber } from "../arguments.ts";
import type { Call, Session, Verb } from "../command.ts";
import { followEvents, printContext, printEvents, printHistogram, type Search } from "../logs/events.ts";
import { printKept } from "../logs/kept.ts";
import { printLines } from "../logs/lines.ts";
import { moment } from "../logs/moment.ts";

interface Options {
  readonly follow?: boolean;
  readonly lines?: string;
  readonly since?: string;
  readonly until?: string;
  readonly grep?: string;
  readonly process?: string;
  readonly instance?: string;
  readonly release?: string;
  readonly search?: string;
  readonly field?: readonly string[];
  readonly level?: string;
  readonly context?: string;
  readonly histogram?: boolean;
  readonly of?: string;
  readonly kept?: boolean;
  readonly own?: boolean;
  readonly saved?: string;
}

const defaultLines = 100;
/** The server's own bound. */
const mostLines = 10_000;
const mostContext = 200;

export default {
  configure: (command) =>
    command
      .argument("[app]", "the app; none: all of the space, or of all spaces")
      .option("-f, --follow", "go on as lines come")
      .option("-n, --lines <number>", `the latest this many (default ${defaultLines})`)
      .option("--since <when>", "only what came since: 10m ago, 14:30, or 2026-05-01T14:30")
      .option("--until <when>", "only what came before")
      .option("--grep <text>", "only lines that contain this text, letter by letter")
      .option("--search <query>", "only events that match, such as 'timeout status>=500 -healthz'")
      .option("--field <name=value...>", "only events with these fields")
      .option("--level <level>", "only events of this level or a worse one")
      .option("--process <name>", "only this process")
      .option("--release <number>", "only this release; all of them otherwise")
      .option("--instance <name>", "only this instance, such as web.3.k3f9b")
      .option("--context <number>", "show so many events around each that matches, at most ten of them")
      .option("--histogram", "count what matches over time, in place of showing it")
      .option("--saved <name>", 'use a saved search; "drover search ls" lists them')
      .option("--of <kind>", `only lines of this kind: ${logKinds.join(", ")}`)
      .option("--kept", "how much is kept of each space on each machine, and since when, in place of lines")
      .option("--own", "Drover's own programs in place of apps")
      .addHelpText(
        "after",
        `
A search is words, "phrases", field:value, status>=500, level>=warn, and -what is not wanted; OR stands between alternatives.

Examples:
  drover logs shop/web -f
  drover logs shop/web --since 1h --search 'timeout -healthz' --level warn
  drover logs --space shop --histogram --since 24h --search 'level>=error'`,
      ),
  async run(session, call) {
    const { args, options } = call;
    if (options.kept === true) return printKept(session, session.common.space ?? undefined);
    if (args[0] !== undefined && !searchOptions.some((name) => options[name] !== undefined)) return printLines(session, call);
    if (options.grep !== undefined)
      throw new DroverError("USAGE", "--grep and a search were given", {
        hint: `Put the text into the search: --search '"${options.grep}"'.`,
      });
    if (options.histogram === true && options.follow === true)
      throw new DroverError("USAGE", "--histogram counts what there is, and --follow waits for what comes", {
        hint: "Leave one of them out.",
      });
    const search = await searchOf(session, call);
    if (options.histogram === true) return printHistogram(session, search);
    const lines = options.lines === undefined ? defaultLines : wholeNumber(options.lines, "--lines", 0, mostLines);
    if (options.context !== undefined)
      return printContext(session, search, lines, wholeNumber(options.context, "--context", 1, mostContext));
    await printEvents(session, search, lines);
    if (options.follow === true) await followEvents(session, search);
    return 0;
  },
} satisfies Verb<Options>;

/** Options that make it a search; without any, and with an app, lines are shown as they are. */
const searchOptions = ["until", "search", "field", "level", "release", "context", "histogram", "of", "own", "saved"] as const;

async function searchOf(session: Session, { args, options }: Call<Options>): Promise<Search> {
  const { common, clock } = session;
  const about = args[0] === undefined ? { space: common.space ?? undefined, app: undefined } : appReference(args[0], common.space);
  const saved = options.saved === undefined ? null : await savedSearch(session, about.space ?? defaultSpace, options.saved);
  const kind = oneOf(options.of, "--of", logKinds);
  if (options.own === true && kind !== undefined && kindsOfSpaces.includes(kind))
    throw new DroverError("USAGE", `Drover's own programs have no lines of kind "${kind}"`, { hint: "Leave out --own, or --of." });
  const isOwn = options.own === true || (kind !== undefined && !kindsOfSpaces.includes(kind));
  const terms = [
    ...(saved === null ? [] : [saved.query]),
    ...(options.search === undefined ? [] : [options.search]),
    ...(options.field ?? []).map(fieldTerm),
    ...(options.level === undefined ? [] : [`level>=${options.level}`]),
    ...(options.release === undefined ? [] : [`release:${wholeNumber(options.release, "--release", 1, 999_999_999)}`]),
    ...(options.instance === undefined ? [] : [`instance:${options.instance.slice(options.instance.lastIndexOf("/") + 1)}`]),
  ];
  if (terms.length > 1 && terms.some((term) => /(^|\s)OR(\s|$)/.test(term)))
    throw new DroverError("USAGE", "a search with OR does not go with further conditions", { hint: "Write all of it as one --search." });
  const nowMs = clock.nowMs();
  const sinceMs = options.since === undefined ? undefined : moment(options.since, "--since", nowMs);
  const untilMs = options.until === undefined ? undefined : moment(options.until, "--until", nowMs);
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs)
    throw new DroverError("USAGE", `the time from --since ${options.since} to --until ${options.until} ends before it begins`, {
      hint: "Both count back from now: --since 2h --until 1h is the hour before the last one.",
    });
  return {
    where: {
      space: isOwn ? undefined : (about.space ?? (saved === null ? undefined : defaultSpace)),
      app: about.app ?? saved?.app ?? undefined,
      process: options.process,
      of: kind,
      own: isOwn ? true : undefined,
    },
    q: terms.join(" "),
    sinceMs,
    untilMs,
  };
}

async function savedSearch({ api, signal }: Session, space: string, name: string): Promise<SavedSearchView> {
  const { searches } = await api.call<{ searches: SavedSearchView[] }>("GET", apiPath(["spaces", space, "searches"]), signal);
  const found = searches.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new DroverError("SEARCH_NOT_FOUND", `space "${space}" has no saved search "${name}"`, {
    hint: '"drover search ls" lists those that there are.',
  });
}

/** `status=500` as the search has it. */
function fieldTerm(text: string): string {
  const equals = text.indexOf("=");
  if (equals < 1) throw new DroverError("USAGE", `"${text}" is no field with its value`, { hint: "Write --field NAME=VALUE." });
  const value = text.slice(equals + 1);
  return `${text.slice(0, equals)}:${/[\s"\\]/.test(value) ? JSON.stringify(value) : value}`;
}
