import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notice } from "#model/ladder.ts";
import type { SpaceName } from "#model/names.ts";
import { startApi } from "../api/testing/api-fixture.ts";
import { ladderKeys, ladderObjects } from "../objects/ladder-objects.ts";
import { put } from "../objects/objects.ts";
import { acknowledgeMassFailure } from "../operations/escalation-operations.ts";
import { findUnmended } from "./problems.ts";

const space = "default" as SpaceName;
const hand = { by: "ann", nowMs: 7 };

test("a mass failure is a problem that names the command which takes note of it, and that works while there is one", async () => {
  await using api = await startApi();
  const { store } = api.services;
  await api.call("POST", "/v1/apply", { documents: [{ file: "a.yaml", text: `space: ${space}\n` }] });
  await assert.rejects(acknowledgeMassFailure(api.services, space, hand), { code: "CONFLICT", message: /there is no mass failure/ });
  const notice: Notice = { key: "mass-failure", sinceMs: 1, text: "15 of 50 machines failed" };
  await store.commit({ changes: [put(ladderKeys.notice(space, notice.key), notice)] });
  const nothingElse = { sceneOf: () => null, controller: { waiting: () => [] } as never, nowMs: () => 7 };
  assert.deepEqual(findUnmended(nothingElse, store, space, null), [
    {
      code: "PERSON_NEEDED",
      message: `space "${space}" needs a person: 15 of 50 machines failed; look at them, then "drover escalation acknowledge mass-failure -s ${space}"`,
    },
  ]);
  assert.deepEqual(findUnmended(nothingElse, store, space, "app/shop"), [], "it is no problem of one app");
  await acknowledgeMassFailure(api.services, space, hand);
  assert.equal(ladderObjects.switches(store, space)?.value.massAcknowledgedAtMs, hand.nowMs);
});
