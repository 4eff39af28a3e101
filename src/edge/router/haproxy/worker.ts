import type { Log } from "#model/log.ts";
import type { Ledger } from "./accounts.ts";
import type { Config, Server } from "./config.ts";
import { maps as mapNames, relays, samples } from "./config.ts";
import type { HaproxyProcess } from "./process.ts";
import { linesAfter, readStats, type Stat } from "./stats.ts";

/** Entries of one payload: HAProxy reads a command into a buffer of 32 KiB, and a key and a value may take 1 KiB together. */
const entriesAtOnce = 20;

/** Any first character of a key: the entries that send every request to the successor. */
const everyFirst = [..."abcdefghijklmnopqrstuvwxyz0123456789_-.[*ABCDEFGHIJKLMNOPQRSTUVWXYZ:"];

interface Known extends Server {
  /** In maintenance: it takes nothing new, and goes once nothing is open. */
  isLeaving: boolean;
}

/** A process of HAProxy and what it has been told. */
export class Worker {
  readonly process: HaproxyProcess;
  readonly shape: string;
  readonly control: string;
  readonly ledger: Ledger = new Map();
  readonly #servers = new Map<string, Map<string, Known>>();
  readonly #maps: Map<string, Map<string, string>>;
  readonly #arguments: Config["serverArguments"];
  readonly #log: Log;
  #lastSample = "";
  /** Started by an edge before this one: what it has been told is not known. */
  readonly isAdopted: boolean;

  constructor(process: HaproxyProcess, control: string, config: Config | null, servers: ReadonlyMap<string, readonly Server[]>, log: Log) {
    this.process = process;
    this.control = control;
    this.shape = config?.shape ?? "";
    this.isAdopted = config === null;
    this.#maps = new Map([...(config?.maps ?? [])].map(([name, entries]) => [name, new Map(entries)]));
    this.#arguments = config?.serverArguments ?? new Map();
    this.#log = log;
    for (const [backend, all] of servers)
      this.#servers.set(backend, new Map(all.map((server) => [server.name, { ...server, isLeaving: false }])));
  }

  /** How many commands it would take. */
  distance(maps: Config["maps"], servers: ReadonlyMap<string, readonly Server[]>): number {
    return this.#serverCommands(servers).length + this.#mapCommands(maps).length;
  }

  /** Makes maps and servers what they are to be. @throws {Error} if HAProxy refuses a command or is gone. */
  async sync(maps: Config["maps"], servers: ReadonlyMap<string, readonly Server[]>): Promise<void> {
    // Servers come in before requests find them, and go after.
    const changes = this.#serverCommands(servers);
    await this.#tell(changes.filter(({ isLeaving }) => !isLeaving));
    await this.#tell(this.#mapCommands(maps));
    await this.#tell(changes.filter(({ isLeaving }) => isLeaving));
  }

  /** From now on requests that still arrive go to the process that replaces this one. */
  async relay(servicePorts: readonly string[]): Promise<void> {
    const everything = everyFirst.map((character) => `${character} ${relays.public}`);
    await this.#replaceMap(mapNames.exact, everything);
    await this.#replaceMap(mapNames.plain, everything);
    await this.#replaceMap(
      mapNames.services,
      servicePorts.map((port) => `${port} ${relays.services}`),
    );
  }

  /** @param backend null: all. */
  async stats(backend: string | null): Promise<readonly Stat[]> {
    // 2: backends, 4: servers.
    return readStats(await this.process.control.ask(`show stat ${backend ?? -1} 6 -1`));
  }

  /** Lines of its log since it was last asked, as far back as it keeps them. */
  async samples(): Promise<readonly string[]> {
    const lines = linesAfter(this.#lastSample, await this.process.control.ask(`show events ${samples}`));
    this.#lastSample = lines.at(-1) ?? this.#lastSample;
    return lines;
  }

  leaving(): readonly { readonly backend: string; readonly server: string }[] {
    return [...this.#servers].flatMap(([backend, servers]) =>
      [...servers.values()].filter(({ isLeaving }) => isLeaving).map(({ name }) => ({ backend, server: name })),
    );
  }

  /** Takes a server out for good. False: something is still open there. */
  async drop(backend: string, server: string): Promise<boolean> {
    const answer = await this.process.control.ask(`del server ${backend}/${server}`);
    if (!/deleted/i.test(answer)) return false;
    this.#servers.get(backend)?.delete(server);
    return true;
  }

  /** Whether it has closed its listeners. */
  async isStopping(): Promise<boolean> {
    return /^Stopping: 1/m.test(await this.process.control.ask("show info"));
  }

  /** Ends what is under way that came in at these frontends, and nothing else. */
  async cut(isCut: (frontend: string) => boolean): Promise<number> {
    const { control } = this.process;
    const sessions = [...(await control.ask("show sess")).matchAll(/^(0x[0-9a-f]+): .*? fe=(\S+) /gm)];
    const cut = sessions.filter(([, , frontend = ""]) => isCut(frontend));
    for (const [, id] of cut) await control.ask(`shutdown session ${id}`);
    return cut.length;
  }

  /** Requests and connections under way, without idle connections. */
  async underWay(): Promise<number> {
    return (await this.stats(null)).reduce((sum, { server, current }) => sum + (server === "BACKEND" ? current : 0), 0);
  }

  /** Connections, and what else keeps the process from ending; this one's control socket is among it. */
  async jobs(): Promise<number> {
    return Number(/^Jobs: (\d+)/m.exec(await this.process.control.ask("show info"))?.[1] ?? 0);
  }

  #serverCommands(wanted: ReadonlyMap<string, readonly Server[]>): readonly Command[] {
    const commands: Command[] = [];
    for (const [backend, servers] of wanted) {
      const known = this.#knownOf(backend);
      const names = new Set(servers.map(({ name }) => name));
      for (const server of servers) commands.push(...this.#commandsFor(backend, server, known.get(server.name)));
      for (const server of known.values())
        if (!names.has(server.name) && !server.isLeaving)
          commands.push({
            text: `set server ${backend}/${server.name} state maint`,
            isLeaving: true,
            done: () => void known.set(server.name, { ...server, isLeaving: true }),
          });
    }
    return commands;
  }

  #commandsFor(backend: string, server: Server, known: Known | undefined): readonly Command[] {
    const name = `${backend}/${server.name}`;
    const done = () => void this.#knownOf(backend).set(server.name, { ...server, isLeaving: false });
    if (known === undefined)
      return [
        {
          text: `add server ${name} ${server.address} weight ${server.weight} ${this.#arguments.get(backend) ?? ""}`,
          expects: /registered/i,
          done: () => {},
        },
        { text: `enable server ${name}`, done },
      ];
    const weight = known.weight === server.weight ? [] : [{ text: `set server ${name} weight ${server.weight}`, done }];
    return known.isLeaving ? [...weight, { text: `set server ${name} state ready`, done }] : weight;
  }

  #knownOf(backend: string): Map<string, Known> {
    let known = this.#servers.get(backend);
    if (known === undefined) {
      known = new Map();
      this.#servers.set(backend, known);
    }
    return known;
  }

  #mapCommands(wanted: Config["maps"]): readonly Command[] {
    const commands: Command[] = [];
    for (const [name, entries] of wanted) {
      const known = this.#maps.get(name) ?? new Map<string, string>();
      const added: [string, string][] = [];
      for (const [key, value] of entries)
        if (known.get(key) !== value) {
          if (known.has(key) && name !== mapNames.words) {
            commands.push({ text: `set map ${name} ${escaped(key)} ${value}`, done: () => void known.set(key, value) });
            continue;
          }
          if (known.has(key)) commands.push({ text: `del map ${name} ${escaped(key)}`, done: () => void known.delete(key) });
          added.push([key, value]);
        }
      for (let at = 0; at < added.length; at += entriesAtOnce) {
        const some = added.slice(at, at + entriesAtOnce);
        const lines = some.map(([key, value]) => `${key} ${value}`);
        commands.push({
          text: `add map ${name} <<\n${lines.join("\n")}\n`,
          done: () => {
            for (const [key, value] of some) known.set(key, value);
          },
        });
      }
      for (const key of known.keys())
        if (!entries.has(key)) commands.push({ text: `del map ${name} ${escaped(key)}`, done: () => void known.delete(key) });
    }
    return commands;
  }

  async #replaceMap(name: string, lines: readonly string[]): Promise<void> {
    const { control } = this.process;
    const version = /New version created: (\d+)/.exec(await control.ask(`prepare map ${name}`))?.[1];
    if (version === undefined) throw new Error(`HAProxy began no new version of "${name}"`);
    for (let at = 0; at < lines.length; at += entriesAtOnce)
      await control.ask(`add map @${version} ${name} <<\n${lines.slice(at, at + entriesAtOnce).join("\n")}\n`);
    await control.ask(`commit map @${version} ${name}`);
  }

  async #tell(commands: readonly Command[]): Promise<void> {
    // All at once: HAProxy takes them one after another, and one round trip for each would be the longest part.
    const answers = await Promise.all(commands.map(({ text }) => this.process.control.ask(text)));
    for (const [at, { text, expects = /^$/, done }] of commands.entries()) {
      const answer = answers[at] ?? "";
      if (!expects.test(answer)) {
        this.#log.warn("HAProxy refused a command", { command: text.slice(0, 200), words: answer });
        throw new Error(`HAProxy refused "${text.slice(0, 200)}": ${answer}`);
      }
      done();
    }
  }
}

interface Command {
  readonly text: string;
  /** What it prints when it worked; left out: nothing. */
  readonly expects?: RegExp;
  readonly isLeaving?: boolean;
  readonly done: () => void;
}

/** A key as one word of a command. */
function escaped(key: string): string {
  return key.replace(/[\\ ;"'<]/g, "\\$&");
}
