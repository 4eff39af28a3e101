import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { createLog } from "#host/log.ts";
import { DroverError } from "#model/errors.ts";
import { leastNearBytes } from "#model/programs.ts";
import type { AgentPeer } from "../fleet/peers.ts";
import { openPartStore } from "./part-store.ts";
import { upgradeMachine } from "./upgrade-machine.ts";

test("a part that a neighbour does not give comes from the server, and the log says whose failure that was", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "drover-upgrade-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const parts = openPartStore(folder, systemClock);
  const content = Buffer.alloc(leastNearBytes, "part");
  const digest = createHash("sha256").update(content).digest("hex");
  await parts.put(digest, Readable.from([content]), t.signal);
  const came: Buffer[] = [];
  const agent = {
    machine: "m2",
    programs: async () => ({ parts: [] }),
    fetchPart: async () => {
      throw new DroverError("DIGEST_MISMATCH", "the part is another one", { hint: "Copy it from elsewhere." });
    },
    putProgramsPart: async (_digest: string, part: Readable) => void came.push(await buffer(part)),
    startPrograms: async () => {},
  } as unknown as AgentPeer;
  const lines: string[] = [];
  const log = createLog({ print: (line) => lines.push(line), nowMs: () => 0 });
  const near = async () => ({ machine: "m1", host: "10.0.0.1", port: 1, token: "t", parts: [digest] });
  const kinds: string[] = [];
  for await (const { kind } of upgradeMachine(agent, { id: "v2", parts: [digest] }, parts, log, near, t.signal)) kinds.push(kind);
  assert.deepEqual([kinds, came], [["copying", "starting", "started"], [content]]);
  const [{ level, msg: _, ...said }] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([level, said.machine, said.neighbour, said.code], ["warn", "m2", "m1", "DIGEST_MISMATCH"]);
});
