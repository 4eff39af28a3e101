import { createReadStream } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { readTextIfThere } from "#host/files.ts";
import { errorFields } from "#host/log.ts";
import type { Clock } from "#model/clock.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { KeepRules, KeptLines, KeptLogs } from "#model/log-keep.ts";
import type { NoticeLevel } from "#model/log-level.ts";
import { maskText } from "#model/log-mask.ts";
import { type AppId, appOfInstance, type InstanceId, type MachineId } from "#model/names.ts";
import type { LogLine, LogQuery } from "#model/workload.ts";
import { type Background, createBackground } from "../background.ts";
import { AppIntake, type Backlog } from "./app-intake.ts";
import { AppLog } from "./app-log.ts";
import type { LogFrame } from "./frame.ts";
import type { InstanceIntake } from "./instance-intake.ts";
import { loadKeepRules, saveKeepRules } from "./keep-rules.ts";
import { LogExpiry } from "./log-expiry.ts";
import { LogFollower } from "./log-follower.ts";
import { createGapFinder, readHistory } from "./log-history.ts";
import { defaultLogRules, type LogRules } from "./log-rules.ts";
import { type LogSelection, selectLogs } from "./log-selection.ts";
import { readAtRate } from "./read-rate.ts";
import { LineMasks } from "./search/line-masks.ts";
import { LogSearches } from "./search/log-searches.ts";
import { SegmentSealer } from "./segment-sealer.ts";
import type { UnsentLogs, UnsentLogsOptions } from "./shipping/unsent-logs.ts";
import { createTurns } from "./turns.ts";

/** Lines reach the disk, and those who follow, after at most this long: many small writes become one. */
const batchMs = 50;
/** How often unfinished lines and untold losses are looked after, while there are any. */
const sweepMs = 500;
/** How often lines are removed for their age alone. */
const expireMs = 3_600_000;
/** Files kept open: as many apps as usually print at the same time. */
const mostOpenFiles = 64;
/** All apps' lines that wait for the disk. */
const mostBacklogBytes = 24 * 2 ** 20;

/** A running attachment. `ended` resolves once the source has ended and its last line is taken; `detach` stops reading and keeps the rest. */
export interface LogAttachment {
  readonly ended: Promise<void>;
  detach(): Promise<void>;
}

/** What prints into the log without being an instance, such as a build. */
export interface LogRecord {
  /** A promise asks to wait for it before more is written. */
  write(bytes: Buffer): Promise<void> | null;
  /** A line of Drover's own, in place. */
  notice(text: string, level?: NoticeLevel): void;
  /** Takes a line that has begun as it is. Resolves once all of it is on the disk. */
  end(): Promise<void>;
}

export interface LogStats {
  readonly bytes: number;
  readonly expiredLines: number;
  readonly waitingBytes: number;
}

/**
 * What instances print, kept within bounds and queried. Lines outlive their instance and release until retention removes the oldest.
 * Nothing here ever fails an instance: what cannot be kept is dropped, counted, and told in place by a line of source `drover`.
 */
export interface LogStore {
  /** Reads what the instance prints until the source ends. Attaching again after a restart goes on with the next number. */
  attach(instance: InstanceId, source: Readable): LogAttachment;
  /** Takes what was written to `file` while nobody read the instance; `droppedBytes` did not fit there. The caller removes the file after it. */
  attachSpill(instance: InstanceId, file: string, droppedBytes: number, signal: AbortSignal): Promise<void>;
  /** Takes what is printed by something that is no instance, under a name as if it were one. */
  record(instance: InstanceId): Promise<LogRecord>;
  /** Adds a line of Drover's own, in place. */
  notice(instance: InstanceId, text: string, level?: NoticeLevel): Promise<void>;
  query(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** The latest lines of an instance, such as for the report of a failed release. */
  last(instance: InstanceId, count: number, signal: AbortSignal): Promise<readonly LogLine[]>;
  /** Looks for events, counts them, reads around one, and follows them. */
  readonly searches: LogSearches;
  /** Reads on and on, for whoever sends lines to others. Loaded by the first who asks: most machines have none. */
  unsent(): Promise<UnsentLogs>;
  /** Removes all lines of a destroyed app. */
  forget(app: AppId): Promise<void>;
  stats(): LogStats;
  /** How long each space wants its lines kept, from now on, also after a restart. */
  keep(rules: KeepRules): Promise<void>;
  /** What is kept, and since when. */
  kept(): Promise<KeptLogs>;
  /** Writes what waits and lets go of all sources and files. */
  close(): Promise<void>;
}

export interface LogStoreOptions {
  readonly folder: string;
  /** The machine that all of it is of. */
  readonly machine: MachineId;
  readonly clock: Clock;
  readonly log: Log;
  readonly rules?: LogRules;
}

/** Opens the logs in `folder` and repairs what a crash left. */
export async function openLogStore(options: LogStoreOptions, signal: AbortSignal): Promise<LogStore> {
  const { folder } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const store = new FileLogStore(options);
  await store.load(signal);
  return store;
}

class FileLogStore implements LogStore {
  readonly searches: LogSearches;
  readonly #reading: UnsentLogsOptions;
  #unsent: Promise<UnsentLogs> | null = null;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rules: LogRules;
  /** Opened one after another in the background, or as soon as something is asked of one. */
  readonly #apps = new Map<AppId, Promise<AppIntake>>();
  readonly #listed = new Set<AppId>();
  readonly #opened = new Map<AppId, AppIntake>();
  readonly #attachments = new Set<LogAttachment>();
  readonly #followers = new Set<LogFollower>();
  readonly #backlog: Backlog = { bytes: 0, mostBytes: mostBacklogBytes };
  readonly #closing = new AbortController();
  readonly #background: Background;
  readonly #expiry: LogExpiry;
  readonly #sealer: SegmentSealer;
  /** Apps with something to write, with losses to tell, and instances in an unfinished line with the time of its latest byte. */
  readonly #waiting = new Set<AppIntake>();
  readonly #lossy = new Set<AppIntake>();
  readonly #unfinished = new Map<InstanceIntake, number>();
  readonly #openFiles = new Set<AppIntake>();
  #wasKilled = false;
  #isBatching = false;
  #isSweeping = false;

  constructor({ folder, machine, clock, log, rules = defaultLogRules }: LogStoreOptions) {
    const reading: UnsentLogsOptions = {
      machine,
      clock,
      log,
      select: async (selection) => (await this.#select(selection)).map(({ appLog }) => appLog),
      follow: (follower, signal) => {
        // Of a reader that has left already nothing would tell any more.
        if (signal.aborted) return;
        this.#followers.add(follower);
        signal.addEventListener("abort", () => this.#followers.delete(follower), { once: true });
      },
    };
    this.searches = new LogSearches(reading);
    this.#reading = reading;
    this.#folder = folder;
    this.#clock = clock;
    this.#log = log;
    this.#rules = rules;
    this.#background = createBackground(log, this.#closing.signal);
    this.#expiry = new LogExpiry({ logs: () => this.#openedLogs, rules, clock, log });
    this.#sealer = new SegmentSealer(this.#background, log, this.#closing.signal);
  }

  async load(signal: AbortSignal): Promise<void> {
    const known = await listApps(this.#folder);
    this.#expiry.spaces = await loadKeepRules(this.#folder, this.#log);
    this.#wasKilled = known.length > 0 && !(await exists(this.#closedMark));
    await rm(this.#closedMark, { force: true });
    signal.throwIfAborted();
    for (const app of known) this.#listed.add(app);
    this.#background.goOn("logs are not looked after", async () => {
      for (const app of known) this.#sealer.sealLater((await this.#open(app)).appLog);
      while (!this.#closing.signal.aborted) {
        await this.#expiry.look();
        await this.#clock.sleep(expireMs, this.#closing.signal);
      }
    });
  }

  attach(instance: InstanceId, source: Readable): LogAttachment {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#closing.signal]);
    const ended = this.#read(instance, source, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#log.error("an instance's output cannot be read", { instance, ...errorFields(error) });
    });
    const attachment: LogAttachment = {
      ended,
      detach: async () => {
        stop.abort();
        await ended;
      },
    };
    this.#attachments.add(attachment);
    void ended.finally(() => this.#attachments.delete(attachment));
    return attachment;
  }

  async attachSpill(instance: InstanceId, file: string, droppedBytes: number, signal: AbortSignal): Promise<void> {
    const { app, intake } = await this.#begin(instance);
    try {
      for await (const chunk of createReadStream(file, { signal }) as AsyncIterable<Buffer>) {
        intake.push(chunk, "kept");
        await app.flush();
      }
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
    }
    if (droppedBytes > 0) {
      intake.flush();
      intake.notice(`${droppedBytes} bytes dropped: the app printed more while the agent was away than is kept meanwhile`);
    }
    // A line that had only begun goes on in what the instance prints next; if nothing comes, the sweep ends it.
    if (intake.isInLine) {
      this.#unfinished.set(intake, this.#clock.monotonicMs());
      this.#sweepLater(null);
    }
    await app.flush();
  }

  async record(instance: InstanceId): Promise<LogRecord> {
    const { app, intake } = await this.#begin(instance);
    return {
      write: (bytes) => this.#take(app, intake, bytes),
      notice: (text, level) => intake.notice(text, level),
      end: () => this.#finish(app, intake),
    };
  }

  async notice(instance: InstanceId, text: string, level?: NoticeLevel): Promise<void> {
    const app = await this.#open(appOfInstance(instance));
    app.instance(instance).notice(text, level);
  }

  async *query(query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine, void, void> {
    const selection = selectLogs(query);
    const turns = createTurns(this.#clock);
    const masks = new LineMasks(query.masks);
    const apps = await this.#select(selection);
    signal.throwIfAborted();
    // From here to the positions nothing waits: what is written later goes to the follower, what was written before is history.
    const follower = query.follow ? new LogFollower(selection) : null;
    if (follower !== null) this.#followers.add(follower);
    try {
      const logs = apps.map(({ appLog }) => ({ log: appLog, position: appLog.position }));
      const history = await readHistory(logs, { ...query, selection, masks }, turns, signal);
      const { contains } = query;
      const shown =
        contains === null
          ? createGapFinder()
          : (line: LogLine) => (maskText(line.text, masks.of(line.instance)).includes(contains) ? [line] : []);
      yield* this.#pass(history, follower, shown, turns, signal);
    } finally {
      if (follower !== null) this.#followers.delete(follower);
    }
  }

  async last(instance: InstanceId, count: number, signal: AbortSignal): Promise<readonly LogLine[]> {
    const query: LogQuery = { prefix: "", instance, tail: count, sinceMs: null, follow: false, contains: null };
    const lines: LogLine[] = [];
    for await (const line of this.query(query, signal)) lines.push(line);
    return lines;
  }

  unsent(): Promise<UnsentLogs> {
    return (this.#unsent ??= import("./shipping/unsent-logs.ts").then(({ UnsentLogs }) => new UnsentLogs(this.#reading)));
  }

  async forget(app: AppId): Promise<void> {
    if (!this.#listed.has(app)) return;
    const intake = await this.#open(app);
    this.#listed.delete(app);
    this.#apps.delete(app);
    this.#opened.delete(app);
    this.#openFiles.delete(intake);
    await intake.flush();
    await intake.appLog.destroy();
  }

  stats(): LogStats {
    const logs = this.#openedLogs;
    return {
      bytes: logs.reduce((sum, { bytes }) => sum + bytes, 0),
      expiredLines: logs.reduce((sum, { expiredLines }) => sum + expiredLines, 0),
      waitingBytes: this.#backlog.bytes,
    };
  }

  async keep(rules: KeepRules): Promise<void> {
    await saveKeepRules(this.#folder, rules);
    this.#expiry.spaces = rules;
    await this.#expiry.look();
  }

  async kept(): Promise<KeptLogs> {
    const apps: KeptLines[] = [];
    for (const app of this.#listed) apps.push((await this.#open(app)).appLog.kept);
    const { ageMs, appBytes, totalBytes } = this.#rules;
    return { apps: apps.filter(({ lines, expiredLines }) => lines + expiredLines > 0), ageMs, appBytes, totalBytes };
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the log store closes"));
    await Promise.all([...this.#attachments].map(({ ended }) => ended));
    await this.#background.settle();
    await this.searches.close();
    for (const app of this.#opened.values()) {
      app.tellLosses();
      await app.flush();
      await app.closeFile();
    }
    await writeFile(this.#closedMark, "", { mode: 0o600 });
  }

  /** The apps that a selection means, with all that they printed until now on the disk. */
  async #select(selection: LogSelection): Promise<readonly AppIntake[]> {
    const apps: AppIntake[] = [];
    for (const app of this.#listed) if (selection.hasApp(app)) apps.push(await this.#open(app));
    await Promise.all(apps.map((app) => app.flush()));
    return apps;
  }

  get #closedMark(): string {
    return join(this.#folder, "closed");
  }

  async #read(instance: InstanceId, source: Readable, signal: AbortSignal): Promise<void> {
    const { app, intake } = await this.#begin(instance);
    const take = (chunk: Buffer) => this.#take(app, intake, chunk);
    await readAtRate({ source, rule: this.#rules.read, clock: this.#clock, take }, signal);
    await this.#finish(app, intake);
  }

  #take(app: AppIntake, intake: InstanceIntake, chunk: Buffer): Promise<void> | null {
    intake.push(chunk);
    if (intake.isInLine) this.#unfinished.set(intake, this.#clock.monotonicMs());
    if (intake.hasLosses || intake.isInLine) this.#sweepLater(intake.hasLosses ? app : null);
    return app.pressure();
  }

  async #finish(app: AppIntake, intake: InstanceIntake): Promise<void> {
    this.#unfinished.delete(intake);
    intake.flush();
    intake.tellLosses();
    await app.flush();
    app.release(intake.instance);
  }

  async #begin(instance: InstanceId): Promise<{ readonly app: AppIntake; readonly intake: InstanceIntake }> {
    const app = await this.#open(appOfInstance(instance));
    const intake = app.instance(instance);
    if (app.startedWith.delete(instance) && this.#wasKilled)
      intake.notice("the agent was killed here; up to 0.1 s of output before that may be missing");
    return { app, intake };
  }

  #open(id: AppId): Promise<AppIntake> {
    let opening = this.#apps.get(id);
    if (opening === undefined) {
      this.#listed.add(id);
      opening = this.#openApp(id);
      this.#apps.set(id, opening);
    }
    return opening;
  }

  async #openApp(id: AppId): Promise<AppIntake> {
    const { segmentBytes, intake: budget } = this.#rules;
    const appLog = await AppLog.open({ folder: join(this.#folder, id), app: id, segmentBytes, log: this.#log }, this.#closing.signal);
    const app: AppIntake = new AppIntake({
      appLog,
      budget,
      backlog: this.#backlog,
      clock: this.#clock,
      log: this.#log,
      onWritten: (frames) => this.#onWritten(app, frames),
      onLost: () => this.#sweepLater(app),
      onWaiting: () => this.#writeLater(app),
    });
    this.#opened.set(id, app);
    return app;
  }

  #onWritten(app: AppIntake, frames: readonly LogFrame[]): void {
    for (const follower of this.#followers) for (const frame of frames) follower.offer(frame);
    if (app.appLog.hasUnsealed) this.#sealer.sealLater(app.appLog);
    this.#openFiles.delete(app);
    this.#openFiles.add(app);
    const [oldest] = this.#openFiles;
    if (this.#openFiles.size > mostOpenFiles && oldest !== undefined) {
      this.#openFiles.delete(oldest);
      this.#background.goOn("a file of logs was not closed", () => oldest.closeFile());
    }
    if (this.#expiry.isDue(app.appLog)) this.#background.goOn("old log lines are left", () => this.#expiry.look());
  }

  get #openedLogs(): readonly AppLog[] {
    return [...this.#opened.values()].map(({ appLog }) => appLog);
  }

  #writeLater(app: AppIntake): void {
    this.#waiting.add(app);
    if (this.#isBatching) return;
    this.#isBatching = true;
    this.#background.goOn("logs wait to be written", async () => {
      try {
        await this.#clock.sleep(batchMs, this.#closing.signal);
      } finally {
        this.#isBatching = false;
      }
      const apps = [...this.#waiting];
      this.#waiting.clear();
      await Promise.all(apps.map((each) => each.flush()));
    });
  }

  /** Takes care of what nothing else would end: a line without an end, and losses after which nothing came. */
  #sweepLater(lossy: AppIntake | null): void {
    if (lossy !== null) this.#lossy.add(lossy);
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#background.goOn("unfinished lines of logs wait", async () => {
      try {
        while (this.#lossy.size > 0 || this.#unfinished.size > 0) {
          await this.#clock.sleep(sweepMs, this.#closing.signal);
          this.#sweep();
        }
      } finally {
        this.#isSweeping = false;
      }
    });
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const app of this.#lossy) if (!app.tellLosses()) this.#lossy.delete(app);
    for (const [intake, atMs] of this.#unfinished) {
      if (intake.isInLine && nowMs - atMs < sweepMs) continue;
      this.#unfinished.delete(intake);
      intake.flush();
    }
  }

  /** History first, then what follows, without holding the event loop for long. */
  async *#pass(
    history: readonly LogLine[],
    follower: LogFollower | null,
    shown: (line: LogLine) => readonly LogLine[],
    turns: () => Promise<void> | null,
    signal: AbortSignal,
  ): AsyncGenerator<LogLine, void, void> {
    for await (const line of historyThenNew(history, follower, signal)) {
      yield* shown(line);
      const turn = turns();
      if (turn !== null) await turn;
    }
  }
}

async function* historyThenNew(
  history: readonly LogLine[],
  follower: LogFollower | null,
  signal: AbortSignal,
): AsyncGenerator<LogLine, void, void> {
  yield* history;
  if (follower !== null) yield* follower.lines(signal);
}

/** Every `space/app` that has a folder. */
async function listApps(folder: string): Promise<readonly AppId[]> {
  const apps: AppId[] = [];
  for (const space of await readdir(folder, { withFileTypes: true })) {
    if (!space.isDirectory()) continue;
    for (const app of await readdir(join(folder, space.name))) apps.push(`${space.name}/${app}` as AppId);
  }
  return apps;
}

async function exists(file: string): Promise<boolean> {
  return (await readTextIfThere(file)) !== null;
}
