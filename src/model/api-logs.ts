import { z } from "zod";
import { countedLevels, mostBuckets } from "./log-event.ts";
import { longestQuery } from "./log-query.ts";

const level = z.enum(["trace", "debug", "info", "warn", "error", "fatal"]).nullable();

export const logEvent = z
  .object({
    machine: z.string(),
    instance: z.string().meta({ description: "Such as shop/api/web.7.k3f9b." }),
    atMs: z.number().meta({ description: "When the agent read its first line." }),
    sequence: z.int().meta({ description: "Of its first line among those of the instance." }),
    lines: z.int().meta({ description: "More than one for a stack trace." }),
    text: z.string().meta({ description: "Raw, lines joined by line feeds: escape it before showing it." }),
    source: z.enum(["app", "drover"]).meta({ description: "`drover`: a notice in place, such as of dropped lines." }),
    level: level.meta({ description: "As recognised in the text; null: it says none." }),
    statedAtMs: z.number().nullable().meta({ description: "The time that the text itself gives." }),
    fields: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
      .meta({ description: "Of its JSON, nested names joined by dots, or of its name=value pairs." }),
  })
  .meta({ id: "LogEvent" });

export type LogEventView = z.infer<typeof logEvent>;

const silentMachine = z.object({ machine: z.string(), why: z.string() });

/** What an answer does not cover. */
const coverage = {
  silent: z.array(silentMachine).meta({ description: "Machines that could not be asked: their events are missing here." }),
  damaged: z.array(z.string()).meta({ description: "Damaged segments that were passed over, as machine:file." }),
};

export const logPage = z
  .object({
    events: z.array(logEvent).meta({ description: "Newest first." }),
    next: z.string().nullable().meta({ description: "`cursor` of the page before this one; null: there is nothing older." }),
    searchedToMs: z.number().nullable().meta({
      description:
        "The search had taken its share of time here: ask again with `next` to go on into the past. Null: it went as far as the page needs.",
    }),
    ...coverage,
  })
  .meta({ id: "LogPage" });
export type LogPage = z.infer<typeof logPage>;

export const logHistogram = z
  .object({
    sinceMs: z.number(),
    bucketMs: z.number(),
    levels: z.array(level).meta({ description: `What the counts of each bucket are of: ${countedLevels.map(String).join(", ")}.` }),
    buckets: z.array(z.array(z.int())).meta({ description: `Events by level, for each stretch of \`bucketMs\`; at most ${mostBuckets}.` }),
    searchedToMs: z
      .number()
      .nullable()
      .meta({ description: "Buckets before this moment are not counted in full: the search had taken its share of time." }),
    ...coverage,
  })
  .meta({ id: "LogHistogram" });
export type LogHistogram = z.infer<typeof logHistogram>;

export const logContext = z
  .object({ events: z.array(logEvent).meta({ description: "Oldest first." }), ...coverage })
  .meta({ id: "LogContext" });
export type LogContextView = z.infer<typeof logContext>;

export const keptLogs = z
  .object({
    spaces: z
      .array(
        z.object({
          space: z.string(),
          machine: z.string(),
          apps: z.int().meta({ description: "Apps of which lines are kept, commands of its ladder as one of them." }),
          bytes: z.number().meta({ description: "On the machine's disk, compressed and with the index." }),
          lines: z.number(),
          sinceMs: z.number().nullable().meta({ description: "When the oldest line that is kept was read; null: there is none." }),
          expiredLines: z.number().meta({ description: "Lines that are kept no longer, as far as is known." }),
          ageMs: z.number().meta({ description: "Lines go at this age." }),
          mostBytes: z.number().nullable().meta({ description: "What the space's lines may take there; null: `appBytes` for each app." }),
        }),
      )
      .meta({ description: "What each machine keeps of each space, by space and machine." }),
    machines: z
      .array(
        z.object({
          machine: z.string(),
          bytes: z.number().meta({ description: "All that it keeps." }),
          mostBytes: z.number().meta({ description: "What it may keep: past it, the space that has most gives its oldest lines." }),
          appBytes: z.number().meta({ description: "What an app may take whose space does not say." }),
        }),
      )
      .meta({ description: "By name; none for callers of some spaces alone." }),
    silent: coverage.silent,
  })
  .meta({ id: "KeptLogs" });
export type KeptLogsView = z.infer<typeof keptLogs>;

export const logTailItem = z
  .discriminatedUnion("kind", [
    z.object({ kind: z.literal("event"), event: logEvent }),
    z
      .object({ kind: z.literal("silent"), ...silentMachine.shape })
      .meta({ description: "Events of this machine may be missing from here on, until it is heard again." }),
    z.object({ kind: z.literal("heard"), machine: z.string() }),
  ])
  .meta({ id: "LogTailItem" });
export type LogTailItem = z.infer<typeof logTailItem>;

export const savedSearch = z
  .object({
    name: z.string(),
    query: z.string(),
    app: z.string().nullable().meta({ description: "Only this app's; null: all of the space." }),
    savedBy: z.string(),
    savedAtMs: z.number(),
  })
  .meta({ id: "SavedSearch" });
export type SavedSearchView = z.infer<typeof savedSearch>;

export const logQueryText = z.string().max(longestQuery);
