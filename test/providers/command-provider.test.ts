import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { readTextIfThere } from "#host/files.ts";
import { processesWith } from "#host/testing/processes.ts";
import { DroverError } from "#model/errors.ts";
import type { MachineId, PoolName, SpaceName } from "#model/names.ts";
import type { CommandPool, Pool } from "#model/pool.ts";
import { confineByProc } from "../../src/agent/build/confinement.ts";
import { createRunLook } from "../../src/agent/checks/run-command.ts";
import { createCommandProvider } from "../../src/server/pools/command-provider.ts";
import type { Provider, ProviderEnd } from "../../src/server/pools/provider.ts";
import { testProvider } from "../../src/server/pools/testing/provider-contract.ts";
import { root } from "../harness/drover.ts";

interface World extends AsyncDisposable {
  readonly folder: string;
  readonly provider: Provider;
}

/** A provider whose commands run as an agent runs those that look; what acts is remembered by its key, as tasks are. */
async function open(commands: Partial<CommandPool["commands"]> = {}, timeoutMs = 60_000): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "drover-provider-"));
  const line = `exec node ${join(root, "test/fixtures/machines.mjs")}`;
  const run = createRunLook({
    folder: join(folder, "looks"),
    environment: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
    confine: confineByProc,
  });
  const done = new Map<string, Promise<ProviderEnd>>();
  const pool: Pool & { readonly provider: CommandPool } = {
    space: "default" as SpaceName,
    name: "web" as PoolName,
    machines: 2,
    healthy: 1,
    rules: null,
    provider: {
      kind: "command",
      commands: { list: line, create: line, destroy: line, converge: line, power: line, ...commands },
      env: { FOLDER: folder },
      secrets: ["KEY"],
      everyMs: 1_000,
      timeoutMs,
    },
  };
  const provider = createCommandProvider({
    pool,
    secrets: () => ({ KEY: "canary-5f1e7a" }),
    invite: async (machine) => ({ address: "10.0.0.1:7374", token: `token-of-${machine}`, expiresAtMs: 0 }),
    look: async (order, parent) => {
      const over = new AbortController();
      const timer = setTimeout(() => over.abort(), order.timeoutMs);
      try {
        return await run(order.run, order.env, { uid: null, longestAnswer: order.longestAnswer }, AbortSignal.any([parent, over.signal]));
      } finally {
        clearTimeout(timer);
      }
    },
    act: (task, signal) => {
      signal.throwIfAborted();
      const key = `${task.key} ${task.part}`;
      const known = done.get(key);
      if (known !== undefined) return known;
      const ending = run(task.run, { ...task.env, ...task.secrets }, { uid: null, longestAnswer: 0 }, signal).then(
        ({ exitCode, output }): ProviderEnd => ({ result: exitCode === 0 ? "ok" : "failed", exitCode, output }),
      );
      done.set(key, ending);
      return ending;
    },
  });
  return { folder, provider, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

testProvider("command", async () => {
  const { folder, provider, ...world } = await open();
  return {
    ...world,
    provider,
    machines: ["web-1" as MachineId, "web-2" as MachineId],
    made: async (machine) => {
      const log = (await readTextIfThere(join(folder, "log"))) ?? "";
      return log.split("\n").filter((line) => line === `create ${machine}`).length;
    },
    lose: (machine) => rm(join(folder, "machines", machine)),
  };
});

const patience = () => AbortSignal.timeout(60_000);

const wrong: readonly (readonly [what: string, list: string, code: string, says: RegExp])[] = [
  ["is no JSON", "echo nothing to see", "PROVIDER_ANSWER_INVALID", /is no JSON: it begins with "nothing to see/],
  ["is another JSON", "echo '[]'", "PROVIDER_ANSWER_INVALID", /not as it should be/],
  ["says nothing", "true", "PROVIDER_ANSWER_INVALID", /is no JSON: it begins with ""/],
  ["has a machine twice", `echo '{"machines":[{"name":"a"},{"name":"a"}]}'`, "PROVIDER_ANSWER_INVALID", /"a" twice/],
  ["has a name that is none", `echo '{"machines":[{"name":"../a"}]}'`, "PROVIDER_ANSWER_INVALID", /machines\.0\.name/],
  ["has an address that is none", `echo '{"machines":[{"name":"a","address":"a b"}]}'`, "PROVIDER_ANSWER_INVALID", /machines\.0\.address/],
  ["exits with an error", "echo no account >&2; exit 3", "PROVIDER_FAILED", /exited with 3: no account/],
  ["does not exist", "no-such-program-anywhere", "PROVIDER_FAILED", /exited with 127/],
  ["prints 100 MB", "head -c 104857600 /dev/zero", "PROVIDER_ANSWER_INVALID", /longer than 1 MiB/],
  ["tells its secret", 'echo "key $KEY" >&2; exit 1', "PROVIDER_FAILED", /key •••/],
];
for (const [what, list, code, says] of wrong)
  test(`a list that ${what} is refused in words: ${code}`, async () => {
    await using world = await open({ list });
    await assert.rejects(
      () => world.provider.list(patience()),
      (error) => error instanceof DroverError && error.code === code && says.test(error.message) && error.hint !== "",
    );
  });

test("a list that never ends is ended with its children, and says so", async () => {
  await using world = await open({ list: "sleep 1000 & setsid sleep 1000 & sleep 1000" }, 300);
  await assert.rejects(
    () => world.provider.list(patience()),
    (error) => error instanceof DroverError && error.code === "PROVIDER_TIMED_OUT",
  );
  assert.deepEqual(await processesWith("environ", `DROVER_BUILD=${world.folder}/`), [], "nothing of it is left");
});

test("a list may tell more than is asked, on standard error too", async () => {
  const list = `echo warming up >&2; echo '{"machines":[{"name":"web-1","address":"10.0.0.4","zone":"b"}],"more":1}'`;
  await using world = await open({ list });
  assert.deepEqual(await world.provider.list(patience()), [{ name: "web-1", address: "10.0.0.4", power: "on" }]);
});

test("a command is told everything by its environment, and nothing by its arguments", async () => {
  const told = 'tr "\\0" " " </proc/$$/cmdline; env | grep "^DROVER_[JMPSV]\\|^KEY" | sort | tr "\\n" " "';
  await using world = await open({ power: told, create: told });
  const call = { machine: "web-1" as MachineId, key: "k", timeoutMs: 60_000, to: "off" } as const;
  const { output } = await world.provider.power(call, patience());
  assert.match(output, /DROVER_MACHINE=web-1 DROVER_POOL=web DROVER_POWER=off DROVER_SPACE=default DROVER_VERB=power KEY=canary/);
  assert.equal(output.split("canary-5f1e7a").length, 2, "the secret stands in the environment alone");
  assert.doesNotMatch(output, /JOIN/, "only a machine that is made has to join");
  const created = await world.provider.create({ ...call, key: "c" }, patience());
  assert.match(created.output, /DROVER_JOIN_ADDRESS=10\.0\.0\.1:7374 DROVER_JOIN_TOKEN=token-of-web-1 DROVER_MACHINE=web-1/);
  assert.equal(created.output.split("token-of-web-1").length, 2, "the token stands in the environment alone");
});
