import assert from "node:assert/strict";
import { test } from "node:test";
import type { Link } from "#link/caller.ts";
import { DroverError } from "#model/errors.ts";
import type { Digest } from "#model/names.ts";
import { agentOverLink } from "./peers-over-link.ts";

const options = { space: "default", app: "a", run: null, timeoutMs: 1_000, memoryBytes: 1 };
const archive = `sha256:${"1".repeat(64)}` as Digest;

test("an agent that is too old to be asked for an archive does not know it; any other failure is one", async (t) => {
  const failing = (code: "ROUTE_UNKNOWN" | "CLUSTER_UNREACHABLE") =>
    agentOverLink({
      identity: { machine: "m1" },
      call: async () => {
        throw new DroverError(code, "no");
      },
    } as unknown as Link);
  assert.equal(await failing("ROUTE_UNKNOWN").knownBuild(options, archive, t.signal), null);
  await assert.rejects(failing("CLUSTER_UNREACHABLE").knownBuild(options, archive, t.signal), { code: "CLUSTER_UNREACHABLE" });
});
