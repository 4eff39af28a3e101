import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#host/clock.ts";
import type { AppName, SpaceName } from "#model/names.ts";
import { keys, objects, put, remove } from "../objects/objects.ts";
import { backUp } from "../store/backups.ts";
import { openRestore } from "../store/restore.ts";
import type { Store } from "../store/store.ts";
import { storeFiles } from "../store/store-files.ts";
import { openIn, silentLog, temporaryFolder } from "../store/testing/temporary-store.ts";
import { openRemembered, readRemembered } from "./remembered.ts";
import { describeAccess } from "./restore-words.ts";

const token = (name: string, id: string) =>
  put(keys.token(name), { name, id, sha256: "", role: "owner", spaces: null, createdAtMs: 0, createdBy: "owner", expiresAtMs: 1 });
const member = (name: string, key: string) => put(keys.machine(name), { name, key, joinedAtMs: 0 });
const app = (name: string, lastRelease: number) =>
  put(keys.app("default" as SpaceName, name as AppName), { space: "default", name, lastRelease });

test("what was revoked after a backup was made stays so once it is restored, and numbers of releases that were used since are not used again", async (t) => {
  const folder = await temporaryFolder(t);
  const { remembered: file, backups } = storeFiles(folder);
  const told: string[] = [];
  const events = { append: ({ kind, subject }: { kind: string; subject?: string }) => void told.push(`${kind} ${subject}`) };
  /** A server, as far as it remembers; each has its own end. */
  const serve = async (store: Store) => {
    const end = new AbortController();
    const { stopped } = await openRemembered({ file, store, events: events as never, clock: systemClock, log: silentLog }, end.signal);
    return async () => {
      end.abort();
      await stopped;
      await store.close();
    };
  };
  let store = await openIn(folder);
  let close = await serve(store);
  await store.commit({
    changes: [token("ci", "1"), token("anna", "2"), member("m2", "k2"), member("m3", "k3"), app("shop", 5), app("blog", 2)],
  });
  const backup = (await backUp(store, backups)) ?? assert.fail();
  await store.commit({
    changes: [remove(keys.token("ci")), remove(keys.machine("m2")), member("m3", "another key"), app("shop", 7), app("news", 3)],
  });
  await close();

  {
    await using restore = await openRestore({ folder, from: backup.file, log: silentLog });
    assert.deepEqual(describeAccess(restore.backup, await readRemembered(file)), [
      'revoked after the backup was made, and stays so: the token "ci", machine m2, machine m3',
    ]);
    assert.match(describeAccess(restore.backup, null).join("\n"), /counts again.*\n {2}tokens: anna, ci\n {2}machines: m2, m3\n/);
    await restore.perform();
  }
  store = await openIn(folder);
  close = await serve(store);
  assert.deepEqual(
    objects.tokens(store).map(({ value }) => value.name),
    ["anna"],
  );
  assert.deepEqual(store.list(keys.machine("")), []);
  assert.deepEqual(told, ["token.revoked ci", "machine.removed m2", "machine.removed m3"]);
  const floor = (name: string) =>
    JSON.parse(Buffer.from(store.get(keys.ahead("default" as SpaceName, name as AppName))?.value ?? "null").toString());
  assert.deepEqual([floor("shop"), floor("blog"), floor("news")], [{ release: 7, discarded: null }, null, { release: 3, discarded: null }]);

  // Once is enough: what is made from now on counts.
  await store.commit({ changes: [token("ci", "9")] });
  await close();
  store = await openIn(folder);
  close = await serve(store);
  assert.equal(objects.tokens(store).length, 2);
  await close();
});
