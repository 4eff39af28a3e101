// From a check's last needed failure to the decision, beyond the settle window: a real server, its own probe over HTTP, its store on disk. The failure
// counts from when the answer that says so was sent, so the way from there into the server is part of the figure.
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { TestDrover } from "../test/harness/drover.ts";
import { quantile, report } from "./lib.ts";

const rounds = 12;
const goalMs = 100;

interface Run {
  readonly id: string;
  readonly settleUntilMs: number;
  readonly begunAtMs: number | null;
  readonly outcome: { readonly kind: string } | null;
}

/** @param failures in a row that make the check failing @returns milliseconds beyond the settle window, of each round */
async function measure(failures: number): Promise<readonly number[]> {
  let isBroken = false;
  let failedAtMs: number[] = [];
  const checked = http
    .createServer((_, response) => {
      if (isBroken) failedAtMs.push(Date.now());
      response.writeHead(isBroken ? 500 : 200).end();
    })
    .listen(0, "127.0.0.1");
  await once(checked, "listening");
  const { port } = checked.address() as AddressInfo;
  try {
    await using drover = await TestDrover.start({ args: ["--allow-outgoing", "127.0.0.1"] });
    await drover.apply(
      `ladder: bench\nsettle: 500ms\nsoon: 0s\nlevels: [{ name: all, run: "true", quiet: 0s, attempts: 20 }]\nchecks:\n  up: { http: "http://127.0.0.1:${port}/", level: all, every: 1s, failures: ${failures} }\nguard: { actions_per_hour: 100000 }\n`,
    );
    await drover.until("it is seen well", async () => (await drover.run("check", "ls")).includes(" ok "));
    const beyond: number[] = [];
    const known = new Set<string>();
    const runs = async () => JSON.parse(await drover.run("escalation", "ls", "--json")).escalations as Run[];
    while (beyond.length < rounds) {
      failedAtMs = [];
      isBroken = true;
      let begun: Run | undefined;
      await drover.until("it is decided", async () => {
        begun = (await runs()).find(({ id, begunAtMs }) => !known.has(id) && begunAtMs !== null);
        return begun !== undefined;
      });
      isBroken = false;
      const lastMs = failedAtMs[failures - 1];
      if (begun?.begunAtMs == null || lastMs === undefined) throw new Error("it was decided before it failed");
      beyond.push(begun.begunAtMs - Math.max(begun.settleUntilMs, lastMs));
      await drover.until("it is over", async () => {
        const all = await runs();
        for (const { id } of all) known.add(id);
        return all.every(({ outcome }) => outcome !== null) && (await drover.cli(["check", "ls"])).code === 0;
      });
    }
    return beyond;
  } finally {
    checked.close();
    checked.closeAllConnections();
  }
}

for (const failures of [1, 3]) {
  const beyond = await measure(failures);
  const goal = `< ${goalMs} ms`;
  const after = failures === 1 ? "failing at once, settled later" : "failing after three, settled before";
  for (const [name, share] of [
    ["median", 0.5],
    ["slowest", 1],
  ] as const) {
    const figure = quantile(beyond, share);
    report(`last failure to decision, ${after}, ${name}`, figure, "ms", { goal, ok: figure < goalMs });
  }
}
