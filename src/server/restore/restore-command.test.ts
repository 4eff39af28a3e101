import assert from "node:assert/strict";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { homeAt, makeHome } from "#host/home.ts";
import { backUp } from "../store/backups.ts";
import { storeFiles } from "../store/store-files.ts";
import { openIn, silentLog, temporaryFolder } from "../store/testing/temporary-store.ts";
import { restoreFromBackup } from "./restore-command.ts";

/** A terminal at which `answer` is typed; null: none. */
function terminalWith(answer: string | null) {
  const input = Object.assign(new PassThrough(), { isTTY: answer !== null });
  const output = new PassThrough();
  const error = Object.assign(new PassThrough(), { isTTY: answer !== null });
  if (answer !== null) input.end(answer);
  return { terminal: { input, output, error }, said: () => String(output.read() ?? "") };
}

test("a restore that takes something away waits for a yes; one into a new home takes nothing away", async (t) => {
  const home = homeAt(join(await temporaryFolder(t), "home"));
  await makeHome(home);
  const put = (store: Awaited<ReturnType<typeof openIn>>, key: string) =>
    store.commit({ changes: [{ kind: "put", key, value: Buffer.from("1") }] });
  let store = await openIn(home.server);
  await put(store, "/kv/default/a");
  const { file } = (await backUp(store, storeFiles(home.server).backups)) ?? assert.fail();
  await put(store, "/kv/default/b");
  await store.close();

  for (const answer of ["n\n", "\n", "", null]) {
    const { terminal, said } = terminalWith(answer);
    const restored = restoreFromBackup({ home, from: file, isConfirmed: false, terminal, log: silentLog }, t.signal);
    await assert.rejects(restored, { code: "CONFIRMATION_NEEDED", hint: /--yes/ }, `${answer}`);
    assert.match(said(), /^~ keys of key-value stores: 1 goes$/m);
  }
  store = await openIn(home.server);
  assert.equal(store.list("/kv/").length, 2, "nothing was changed");
  await store.close();

  const { terminal, said } = terminalWith("y\n");
  await restoreFromBackup({ home, from: file, isConfirmed: false, terminal, log: silentLog }, t.signal);
  assert.match(said(), /^restored .*: epoch 2, /m);
  store = await openIn(home.server);
  assert.equal(store.list("/kv/").length, 1);
  await store.close();

  const fresh = homeAt(join(await temporaryFolder(t), "home"));
  await makeHome(fresh);
  const nobody = terminalWith(null);
  await restoreFromBackup({ home: fresh, from: file, isConfirmed: false, terminal: nobody.terminal, log: silentLog }, t.signal);
  assert.match(nobody.said(), /^restored /m);
});
