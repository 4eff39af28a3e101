import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import { hasCode } from "#model/errors.ts";
import type { Log } from "#model/log.ts";
import type { InstanceId, WorkloadId } from "#model/names.ts";
import type { Exit } from "#model/workload.ts";
import type { ProcessIdentity } from "./proc.ts";

/** What the agent has to know of an instance to find it again. Written before its process may do anything. */
export interface InstanceRecord {
  readonly id: InstanceId;
  readonly workload: WorkloadId;
  readonly createdAtMs: number;
  readonly port: number | null;
  /** Left out: none. */
  readonly statsdPort?: number;
  readonly restarts: number;
  readonly crashes: number;
  readonly restartToken: string;
  readonly startedAtMs: number | null;
  readonly exit: Exit | null;
  /** Its latest process; null before the first, and after one was seen to end. */
  readonly run: { readonly bootId: string; readonly parent: ProcessIdentity; readonly main: ProcessIdentity } | null;
  readonly ready: boolean;
  readonly memoryKills: number;
  /** It ended for good: a task is not run again. */
  readonly done: boolean;
}

/** The folders of one instance. */
export interface InstanceFolders {
  /** Ours; the instance may pass through. */
  readonly root: string;
  /** The instance's own: its pipe and exit status. */
  readonly io: string;
  /** The instance's own: $HOME and $TMPDIR. */
  readonly temporary: string;
  readonly pipe: string;
  readonly exit: string;
  /** Its InstanceRecord. */
  readonly record: string;
}

/** @param folder of one instance */
export function foldersIn(folder: string): InstanceFolders {
  const io = join(folder, "io");
  return {
    root: folder,
    io,
    temporary: join(folder, "tmp"),
    pipe: join(io, "out"),
    exit: join(io, "exit"),
    record: join(folder, "record.json"),
  };
}

export interface Records {
  readonly root: string;
  folders(id: InstanceId): InstanceFolders;
  load(): Promise<readonly InstanceRecord[]>;
  /** @param durable whether it must survive a power cut. */
  save(record: InstanceRecord, durable: boolean): Promise<void>;
  /** Removes all that is left of an instance. */
  discard(id: InstanceId): Promise<void>;
}

export function openRecords(root: string, log: Log): Records {
  const folders = (id: InstanceId): InstanceFolders => foldersIn(join(root, id));
  /** What is done to one instance's folder happens one after another: of two records the later must be the one that stays. */
  const last = new Map<InstanceId, Promise<void>>();
  const inOrder = (id: InstanceId, task: () => Promise<void>): Promise<void> => {
    const done = (last.get(id) ?? Promise.resolve()).then(task, task);
    last.set(id, done);
    const clear = () => {
      if (last.get(id) === done) last.delete(id);
    };
    done.then(clear, clear);
    return done;
  };
  const recordFile = (id: InstanceId) => folders(id).record;
  return {
    root,
    folders,
    load: async () => {
      await mkdir(root, { recursive: true, mode: 0o711 });
      const records: InstanceRecord[] = [];
      for (const space of await subfolders(root)) {
        for (const app of await subfolders(join(root, space))) {
          for (const name of await subfolders(join(root, space, app))) {
            const id = `${space}/${app}/${name}` as InstanceId;
            const text = await readTextIfThere(recordFile(id));
            if (text !== null) records.push(JSON.parse(text) as InstanceRecord);
            else {
              // Made by an agent that died before it had started anything in it.
              log.info("instance folder without record removed", { instance: id });
              await rm(join(root, id), { recursive: true, force: true });
            }
          }
        }
      }
      return records.sort((a, b) => a.createdAtMs - b.createdAtMs);
    },
    save: (record, durable) => {
      const text = JSON.stringify(record);
      return inOrder(record.id, () => writeFileAtomic(recordFile(record.id), text, { durable }));
    },
    discard: (id) =>
      inOrder(id, async () => {
        const { root: folder } = folders(id);
        // Closed first, so that nothing of the same app can swap a folder for a link while it is being emptied.
        await chmod(folder, 0o700).catch(ignoreMissing);
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      }),
  };
}

async function subfolders(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder, { withFileTypes: true })).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (!hasCode(error, "ENOENT")) throw error;
}
