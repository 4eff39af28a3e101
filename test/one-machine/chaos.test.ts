import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { nodeProcessesOf, root, TestDrover } from "../harness/drover.ts";
import { seed, seeded } from "../harness/random.ts";

const fixture = join(root, "test/fixtures/web.mjs");
/** A hundred take some minutes; by default a tenth of them run. DROVER_FULL=1 runs all, DROVER_SEED replays one run. */
const kills = process.env["DROVER_FULL"] === "1" ? 100 : 10;

test(`any program killed at a random point of a rollout, ${kills} times, always converges (DROVER_SEED=${seed})`, async (t) => {
  const random = seeded(seed);
  await using drover = await TestDrover.start();
  const programs = ["server", "agent", "edge"] as const;
  const manifest = (version: number) =>
    `app: web\nrun: exec node ${fixture}\ninstances: 3\nenv: { VERSION: "${version}" }\nready: { http: / }\nstop: { drain: 1s, grace: 2s }\n`;
  await drover.apply(manifest(0));
  for (let round = 1; round <= kills; round++) {
    const program = programs[Math.floor(random() * programs.length)] as (typeof programs)[number];
    const afterMs = random() * 1_200;
    await drover.apply(manifest(round), "--detach");
    await delay(afterMs);
    await drover.kill(program);
    t.diagnostic(`round ${round}: ${program} killed after ${afterMs.toFixed(0)} ms`);
    if (program === "agent") await drover.up();
    await drover.until(
      `round ${round}: the declared state, after ${program} was killed ${afterMs.toFixed(0)} ms into the rollout`,
      async () => {
        const status = JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/web")).body);
        return (
          status.health === "ready" &&
          status.rollout === null &&
          status.instances.length === 3 &&
          status.instances.every((instance: { release: number; ready: boolean }) => instance.ready && instance.release === status.target)
        );
      },
    );
    // An edge that was just killed takes a moment to listen again.
    await drover.until("the newest version answers", async () => {
      return JSON.parse((await drover.get("web.default.localhost")).body).version === String(round);
    });
    const status = JSON.parse((await drover.api("GET", "/v1/spaces/default/apps/web")).body);
    const known = new Set<number>(status.instances.map(({ pid }: { pid: number }) => pid));
    await drover.until("no process of the app runs that is not an instance", async () => {
      const running = (await nodeProcessesOf(drover.home, fixture)).sort();
      return JSON.stringify(running) === JSON.stringify([...known].sort());
    });
  }
});
