import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, pause } from "#model/clock.ts";
import type { Log } from "#model/log.ts";
import type { Accounts } from "./accounts.ts";
import type { Binary } from "./binary.ts";
import { type Address, bindAddress, type Config } from "./config.ts";
import { growing } from "./drain-look.ts";
import { HaproxyProcess } from "./process.ts";
import { validate, writeConfig } from "./refusals.ts";
import { noteRunning, type Running, startedTicks } from "./running.ts";
import type { NamedServer } from "./servers.ts";
import { Worker } from "./worker.ts";

/** Processes that finish what they have; each has all of its table in memory. Beyond, the oldest is ended, whatever it has open. */
const mostOld = 8;
/** How often a process that is told to stop is asked whether it has closed its listeners, and how many times: it does so within milliseconds. */
const stopLook = { everyMs: 1, times: 1_000 } as const;

export interface ProcessesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly binary: Binary;
  readonly folder: string;
  readonly accounts: Accounts;
  /** The one that serves has ended by itself. */
  readonly onServingEnd: (worker: Worker) => void;
}

/** The processes of HAProxy: the one that serves, and those before it that finish what they have. */
export class Processes {
  readonly #options: ProcessesOptions;
  #serving: Worker | null = null;
  /** Being replaced, the oldest first. */
  #old: Worker[] = [];
  #generation = 0;
  /** Where the one that serves listens. */
  #ports: readonly string[] = [];

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  /** Null while it is started. */
  get serving(): Worker | null {
    return this.#serving;
  }

  get all(): readonly Worker[] {
    return this.#serving === null ? [...this.#old] : [...this.#old, this.#serving];
  }

  get hasOld(): boolean {
    return this.#old.length > 0;
  }

  /** Name of the control socket of the next process. */
  get nextControl(): string {
    return `c${this.#generation + 1}.sock`;
  }

  /** Takes over those of an edge before this one. */
  async adopt(before: readonly Running[]): Promise<void> {
    const { folder, log } = this.#options;
    for (const { pid, control } of before) {
      const process = await HaproxyProcess.adopt(pid, join(folder, control));
      this.#generation = Math.max(this.#generation, Number(/\d+/.exec(control)?.[0] ?? 0));
      if (process === null) continue;
      log.info("HAProxy of an edge before this one is taken over", { pid });
      const worker = new Worker(process, control, null, new Map(), log);
      this.#old.push(worker);
      void process.ended.then(() => this.#onEnd(worker));
    }
  }

  /**
   * Starts a process, which serves from now on; its files are written.
   * @returns the one that served before, which is to be told by `retire`; null: none.
   * @throws {StartFailure} with HAProxy's words, if it refuses the configuration or does not start.
   */
  async start(config: Config, servers: ReadonlyMap<string, readonly NamedServer[]>, fds: readonly number[]): Promise<Worker | null> {
    const { binary, folder, clock, log } = this.#options;
    const control = this.nextControl;
    const generation = ++this.#generation;
    const file = `h${generation}.cfg`;
    await writeConfig(folder, file, config);
    const before = this.#serving ?? this.#old.at(-1) ?? null;
    try {
      await validate(binary.path, folder, file, fds);
      const startedAtMs = clock.monotonicMs();
      const process = await HaproxyProcess.start({
        binary: binary.path,
        folder,
        config: file,
        control,
        from: before?.isAdopted === true ? before.control : null,
        fds,
        clock,
        log,
      });
      const worker = new Worker(process, control, config, servers, log);
      this.#serving = worker;
      void process.ended.then(() => this.#onEnd(worker));
      const tookMs = Math.round(clock.monotonicMs() - startedAtMs);
      log.info("HAProxy serves a new configuration", { pid: process.pid, generation, took_ms: tookMs });
    } finally {
      await rm(join(folder, file), { force: true });
    }
    return before;
  }

  /** Lets a process finish what it has, and send what still comes to the one that replaced it. */
  async retire(worker: Worker, servicePorts: readonly string[]): Promise<void> {
    const { log, clock } = this.#options;
    if (!this.#old.includes(worker)) this.#old.push(worker);
    try {
      await this.count(worker, null);
      worker.process.kill("SIGUSR1");
      for (let tries = 0; tries < stopLook.times && !(await worker.isStopping()); tries++)
        await clock.sleep(stopLook.everyMs, new AbortController().signal);
      await worker.relay(servicePorts);
    } catch (error) {
      // It has ended, with nothing left to finish.
      log.debug("a replaced HAProxy could not be told", { pid: worker.process.pid, error: String(error) });
    }
    while (this.#old.length > mostOld) {
      const [oldest] = this.#old.splice(0, 1);
      log.warn("the oldest of the replaced HAProxy processes is ended", { pid: oldest?.process.pid ?? 0 });
      oldest?.process.kill("SIGTERM");
      oldest?.process.control.close();
    }
  }

  /** Writes down which run, for an edge that comes after this one. */
  async note(listening: readonly Address[]): Promise<void> {
    this.#ports = listening.map(bindAddress);
    const running: Running[] = [];
    for (const worker of this.all) {
      const ticks = await startedTicks(worker.process.pid);
      if (ticks === null) continue;
      const ports = worker === this.#serving ? this.#ports : [];
      running.push({ pid: worker.process.pid, startedTicks: ticks, control: worker.control, ports });
    }
    await noteRunning(this.#options.folder, running);
  }

  /** Adds what a process has counted since it was last asked. @param backend null: all. */
  async count(worker: Worker, backend: string | null): Promise<void> {
    const { accounts, log } = this.#options;
    try {
      const [stats, samples] = await Promise.all([worker.stats(backend), worker.samples()]);
      for (const line of samples) accounts.logged(line);
      accounts.count(stats, worker.ledger);
    } catch (error) {
      log.debug("a HAProxy that was asked for its counts ended", { pid: worker.process.pid, error: String(error) });
    }
  }

  /** Lets go of replaced processes that are kept by nothing but the connection to their control socket. */
  async endIdle(): Promise<void> {
    for (const worker of [...this.#old]) {
      if ((await worker.jobs()) > 1) continue;
      await this.count(worker, null);
      worker.process.control.close();
    }
  }

  /** Ends what those that are being replaced now still have under way after that time, of what came in at these frontends. */
  async cutLater(isCut: (frontend: string) => boolean, afterMs: number, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const workers = [...this.#old];
    await pause(clock, afterMs, signal);
    if (signal.aborted) return;
    for (const worker of workers) {
      if (!this.#old.includes(worker)) continue;
      try {
        const sessions = await worker.cut(isCut);
        if (sessions > 0) log.info("what was open at public ports is cut", { pid: worker.process.pid, sessions });
      } catch (error) {
        // It has ended, with nothing left to cut.
        log.debug("a replaced HAProxy could not be told", { pid: worker.process.pid, error: String(error) });
      }
    }
  }

  /** Takes nothing new, lets what is under way finish within `withinMs`, then cuts the rest. */
  async close(withinMs: number): Promise<void> {
    const endMs = this.#options.clock.monotonicMs() + withinMs;
    const workers = this.all;
    for (const worker of workers) worker.process.kill("SIGUSR1");
    await Promise.all(workers.map((worker) => this.#finish(worker, endMs)));
    await noteRunning(this.#options.folder, []);
  }

  /** Asks one that takes nothing new any more until it has nothing under way, then ends it. */
  async #finish(worker: Worker, endMs: number): Promise<void> {
    const { clock, folder, log } = this.#options;
    try {
      for (const waitMs of growing()) {
        if (clock.monotonicMs() >= endMs || (await worker.underWay()) === 0) break;
        await Promise.race([
          clock.sleep(Math.min(waitMs, Math.max(1, endMs - clock.monotonicMs())), new AbortController().signal),
          worker.process.ended,
        ]);
      }
      await this.count(worker, null);
    } catch (error) {
      // It has ended by itself, with nothing left to finish.
      log.debug("a HAProxy ended before it was ended", { pid: worker.process.pid, error: String(error) });
    }
    worker.process.kill("SIGKILL");
    worker.process.control.close();
    await worker.process.ended;
    await rm(join(folder, worker.control), { force: true });
  }

  #onEnd(worker: Worker): void {
    const { folder, onServingEnd } = this.#options;
    void rm(join(folder, worker.control), { force: true });
    if (worker !== this.#serving) {
      this.#old = this.#old.filter((one) => one !== worker);
      return;
    }
    this.#serving = null;
    onServingEnd(worker);
  }
}
