import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LinkCall } from "#link/serve.ts";
import { DroverError } from "#model/errors.ts";
import { destroyedAppRoutes } from "./destroyed-apps.ts";

async function open(t: { after: (end: () => Promise<void>) => void }, held: readonly string[] = []) {
  const volumesFolder = await mkdtemp(join(tmpdir(), "drover-destroyed-"));
  t.after(() => rm(volumesFolder, { recursive: true }));
  for (const app of ["shop", "shop-2"]) {
    await mkdir(join(volumesFolder, "default", app, "uploads"), { recursive: true });
    await writeFile(join(volumesFolder, "default", app, "uploads", "file"), "kept");
  }
  const forgotten: string[] = [];
  const routes = destroyedAppRoutes({
    volumesFolder,
    holds: (app) => held.includes(app),
    forgetLogs: async (app) => void forgotten.push(app),
  });
  const destroy = (app: string) => routes["DELETE /apps/:app"]?.({ params: { app } } as unknown as LinkCall);
  return { destroy, forgotten, apps: () => readdir(join(volumesFolder, "default")) };
}

test("a destroyed app's volumes and lines go, and nobody else's; a second time changes nothing", async (t) => {
  const { destroy, forgotten, apps } = await open(t);
  await destroy("default/shop");
  await destroy("default/shop");
  assert.deepEqual(await apps(), ["shop-2"]);
  assert.deepEqual(forgotten, ["default/shop", "default/shop"]);
});

test("the volumes of an app that still has workloads stay", async (t) => {
  const { destroy, forgotten, apps } = await open(t, ["default/shop"]);
  await assert.rejects(async () => destroy("default/shop"), { code: "CONFLICT" });
  assert.deepEqual(await apps(), ["shop", "shop-2"]);
  assert.deepEqual(forgotten, []);
});

test("what is no app's name removes nothing", async (t) => {
  const { destroy, apps } = await open(t);
  for (const id of ["default", "default/", "default/..", "../default", "default/shop/uploads", "/"])
    await assert.rejects(async () => destroy(id), DroverError, id);
  assert.deepEqual(await apps(), ["shop", "shop-2"]);
});
