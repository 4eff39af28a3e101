import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#host/files.ts";
import type { AppId } from "#model/names.ts";

/** Numbers that no distribution gives to people or services. */
const firstUid = 40_000;
const lastUid = 59_999;

/** A system user of its own for each app, where Drover may switch users. */
export interface Users {
  /** Null where apps run as the user that runs Drover. */
  uidOf(app: AppId): Promise<number | null>;
  /** Whether apps have users of their own, or why not, in words. */
  readonly isolation: { readonly holds: boolean; readonly how: string };
}

/** @param folder below which apps have to reach their own folders. */
export async function openUsers(file: string, folder: string, isRoot: boolean): Promise<Users> {
  const obstacle = isRoot ? await closedFolder(folder) : null;
  if (!isRoot) return shared("apps run as the user that runs Drover: only root can give each its own");
  if (obstacle !== null) return shared(`apps run as the user that runs Drover: other users cannot pass through ${obstacle}`);
  const uids = new Map<AppId, number>(Object.entries(JSON.parse((await readTextIfThere(file)) ?? "{}")) as [AppId, number][]);
  const write = () => writeFileAtomic(file, JSON.stringify(Object.fromEntries(uids)));
  let writing: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;
  /** Apps that come while one write is under way share the next: a space of many apps is one or two writes, not one for each. */
  const save = (): Promise<void> => {
    next ??= writing
      .catch(() => {}) // Whoever waited for that write has its error; this one only waits for its end.
      .then(() => {
        next = null;
        writing = write();
        return writing;
      });
    return next;
  };
  const saved = new Map<AppId, Promise<void>>();
  return {
    isolation: { holds: true, how: `each app has a user of its own, from ${firstUid} on` },
    uidOf: async (app) => {
      const known = uids.get(app);
      const uid = known ?? nextUid(new Set(uids.values()));
      if (known === undefined) {
        uids.set(app, uid);
        saved.set(app, save());
      }
      // Its files will belong to this number: it must be known again after a crash before the first of them is made.
      await (saved.get(app) ?? Promise.resolve()).catch((error: unknown) => {
        // The next start of the app tries again.
        saved.set(app, save());
        throw error;
      });
      return uid;
    },
  };
}

function shared(how: string): Users {
  return { isolation: { holds: false, how }, uidOf: async () => null };
}

function nextUid(taken: ReadonlySet<number>): number {
  for (let uid = firstUid; uid <= lastUid; uid++) if (!taken.has(uid)) return uid;
  throw new RangeError(`all user numbers from ${firstUid} to ${lastUid} are given to apps`);
}

/** The nearest folder above (or at) `folder` that only its owner may pass through. */
async function closedFolder(folder: string): Promise<string | null> {
  for (let at = folder; ; at = dirname(at)) {
    const { mode } = await stat(at);
    if ((mode & 0o001) === 0) return at;
    if (at === dirname(at)) return null;
  }
}
