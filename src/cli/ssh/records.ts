import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { isRecord, isText, parseJson } from "#model/shape.ts";

/** How a host was reached, so that it can be reached again. */
export interface Way {
  /** As `parseTarget` reads it. */
  readonly target: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly jump: string | null;
  readonly identity: string | null;
}

/** The last `drover machine add`: what it was asked for, and which of its hosts are not machines yet. */
export interface LastAdd {
  readonly agentOptions: readonly string[];
  readonly hosts: readonly (Way & { readonly isDone: boolean })[];
}

/** What the command remembers between two calls, in files of the person's own that can be deleted at any time. */
export interface Records {
  readonly knownHosts: string;
  readonly partsFolder: string;
  readonly logFolder: string;
  lastAdd(): Promise<LastAdd | null>;
  writeLastAdd(last: LastAdd): Promise<void>;
  wayTo(machine: string): Promise<Way | null>;
  /** @param way null: it is not there any more */
  noteWay(machine: string, way: Way | null): Promise<void>;
}

export async function openRecords(folder: string): Promise<Records> {
  const waysFolder = join(folder, "machines");
  const logFolder = join(folder, "log");
  for (const one of [folder, waysFolder, logFolder]) await mkdir(one, { recursive: true, mode: 0o700 });
  const lastFile = join(folder, "last-add.json");
  // A machine's name is a DNS label. One file for each, so that hosts that end at the same time do not overwrite each other's.
  const wayFile = (machine: string) => join(waysFolder, `${machine}.json`);
  return {
    knownHosts: join(folder, "known_hosts"),
    partsFolder: join(folder, "parts"),
    logFolder,
    lastAdd: async () => {
      const read = parseJson((await readTextIfThere(lastFile)) ?? "");
      return isLastAdd(read) ? read : null;
    },
    writeLastAdd: (last) => writeFileAtomic(lastFile, `${JSON.stringify(last)}\n`),
    wayTo: async (machine) => {
      // Only names of files that are there: what a person typed is no path.
      if (!(await readdir(waysFolder)).includes(`${machine}.json`)) return null;
      const read = parseJson((await readTextIfThere(wayFile(machine))) ?? "");
      return isWay(read) ? read : null;
    },
    noteWay: (machine, way) =>
      way === null ? rm(wayFile(machine), { force: true }) : writeFileAtomic(wayFile(machine), `${JSON.stringify(way)}\n`),
  };
}

function isWay(value: unknown): value is Way {
  return (
    isRecord(value) &&
    isText(value["target"]) &&
    isRecord(value["labels"]) &&
    Object.values(value["labels"]).every((label) => isText(label)) &&
    (value["jump"] === null || isText(value["jump"])) &&
    (value["identity"] === null || isText(value["identity"]))
  );
}

function isLastAdd(value: unknown): value is LastAdd {
  return (
    isRecord(value) &&
    Array.isArray(value["agentOptions"]) &&
    value["agentOptions"].every((option) => isText(option)) &&
    Array.isArray(value["hosts"]) &&
    value["hosts"].every((host: unknown) => isWay(host) && "isDone" in host && typeof host.isDone === "boolean")
  );
}
