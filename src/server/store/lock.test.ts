import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { openIn, temporaryFolder } from "./testing/temporary-store.ts";

test("a folder that another process has open is refused, naming it, and is free as soon as that is killed", async (t) => {
  const folder = await temporaryFolder(t);
  const child = spawn(process.execPath, [join(import.meta.dirname, "testing", "crash-writer.ts"), folder, "endless"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  await assert.rejects(openIn(folder), {
    code: "STORE_IN_USE",
    message: new RegExp(`pid ${child.pid}`),
    details: { folder, pid: child.pid },
  });
  const closed = once(child, "close");
  child.stdout.resume();
  child.kill("SIGKILL");
  await closed;
  await openIn(folder).then((store) => store.close());
});

test("one process cannot open a folder twice, and can open it again after closing it", async (t) => {
  const folder = await temporaryFolder(t);
  const store = await openIn(folder);
  await assert.rejects(openIn(folder), { code: "STORE_IN_USE" });
  await store.commit({ changes: [{ kind: "put", key: "/a", value: new Uint8Array(1) }] });
  await store.close();
  await openIn(folder).then((again) => again.close());
});
