import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { freePort } from "#host/testing/free-ports.ts";
import { programOnPath } from "#host/testing/program-on-path.ts";
import { PrometheusFigures } from "../../src/server/figures/prometheus-figures.ts";
import { familyOf } from "../../src/server/metrics/families.ts";
import { root, TestDrover } from "../harness/drover.ts";

const manifest = `
app: web
run: exec node ${join(root, "test/fixtures/web.mjs")}
instances: 2
ready: { http: / }
---
app: teller
run: exec node ${join(root, "test/fixtures/teller.mjs")}
metrics: /figures
---
ladder: demo
settle: 1h
levels: [{ name: all, run: "true" }]
checks:
  well: { run: "true", every: 1s, level: all }
  broken: { run: "exit 1", every: 1s, failures: 1, level: all }
`;
const host = "web.default.localhost";
const requests = 7;

let drover: TestDrover;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-metrics-"));
  drover = await TestDrover.start();
  await drover.apply(manifest);
  for (let i = 0; i < requests; i++) assert.equal((await drover.get(host, "/")).status, 200);
});
after(async () => {
  await drover[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const { signal } = new AbortController();

async function scrape(): Promise<string> {
  const { status, body } = await drover.api("GET", "/metrics");
  assert.equal(status, 200);
  return body;
}

/** The figures of all samples whose line has these texts. */
function figures(text: string, ...parts: readonly string[]): readonly number[] {
  const lines = text.split("\n").filter((line) => parts.every((part) => line.includes(part)));
  return lines.map((line) => Number(line.slice(line.lastIndexOf(" "))));
}

test("figures say what runs, what it uses, what came through the edges and what fails", async () => {
  await drover.until("both checks have said something", async () => figures(await scrape(), "drover_check_failing{").length === 2);
  const text = await scrape();
  assert.deepEqual(figures(text, "drover_instance_ready{", 'app="web"'), [1, 1]);
  assert.ok(figures(text, "drover_instance_memory_bytes{", 'app="web"').every((bytes) => bytes > 10_000_000));
  assert.ok(figures(text, "drover_instance_cpu_seconds_total{", 'app="web"').every((seconds) => seconds > 0));
  assert.deepEqual(figures(text, "drover_route_requests_total{", `route="${host}/"`, 'class="2xx"'), [requests]);
  assert.deepEqual(figures(text, "drover_route_request_duration_seconds_bucket{", `route="${host}/"`, 'le="+Inf"'), [requests]);
  assert.deepEqual(figures(text, "drover_check_failing{", 'check="broken"'), [1]);
  assert.deepEqual(figures(text, "drover_check_failing{", 'check="well"'), [0]);
  assert.equal(figures(text, "drover_program_memory_bytes{").length, 3);
  assert.deepEqual(figures(text, "drover_edge_linked{"), [1]);
});

test("what an app tells of itself is told with labels that say whose it is, which it cannot set, and never under Drover's names", async () => {
  const text = await scrape();
  assert.deepEqual(figures(text, "orders_total{", 'app="teller"', 'exported_app="web"', 'kind="a"'), [42]);
  assert.deepEqual(figures(text, "drover_scrape_up{", 'app="teller"'), [1]);
  assert.deepEqual(figures(text, "drover_instance_ready{", 'app="forged"'), []);
  assert.match(text, /^# TYPE orders_total counter$/m);
});

/** Where Debian has it, or where the set-up of the tests put it. */
const modules = ["", join(root, "node_modules/.cache/drover-system")].map((base) => `${base}/usr/lib/python3/dist-packages`);
const statsdModules = modules.find((path) => existsSync(join(path, "statsd")));
const withoutStatsd = statsdModules === undefined && "python3-statsd is not here; figures that a client of statsd sends were not tested";

test("what an app sends by statsd is its own, and is still heard by an agent that was killed meanwhile", {
  skip: withoutStatsd,
}, async () => {
  const script = join(folder, "send.py");
  await writeFile(
    script,
    `import time
from statsd.defaults.env import statsd
while True:
    statsd.incr("carts.filled", 2)
    statsd.gauge("drover_forged", 1)
    statsd.gauge("waiting", 7)
    statsd.timing("took", 320)
    statsd.set("seen", "ann")
    time.sleep(0.05)
`,
  );
  await chmod(folder, 0o755);
  await drover.apply(
    `app: sender\nprocesses: { worker: { run: exec python3 ${script}, statsd: true } }\nenv: { PYTHONPATH: ${statsdModules}, PYTHONDONTWRITEBYTECODE: "1" }\n`,
  );
  const heard = async () => (figures(await scrape(), "carts_filled{", 'app="sender"', 'process="worker"')[0] ?? 0) > 2;
  await drover.until("something was sent", heard);
  const text = await scrape();
  assert.deepEqual(figures(text, "waiting{", 'app="sender"'), [7]);
  assert.deepEqual(figures(text, "took_seconds_bucket{", 'le="0.2"'), [0]);
  assert.ok((figures(text, "took_seconds_bucket{", 'le="0.4"')[0] ?? 0) > 0);
  assert.deepEqual(figures(text, "drover_forged"), []);
  assert.deepEqual(figures(text, "drover_scrape_up{", 'app="sender"'), [], "it is not asked, so it does not fail to answer");
  assert.match(text, /^# TYPE carts_filled counter$/m);
  const restarts = figures(text, "drover_instance_restarts_total{", 'app="sender"');
  await drover.kill("agent");
  await drover.up();
  await drover.until("something is heard again", heard);
  assert.deepEqual(figures(await scrape(), "drover_instance_restarts_total{", 'app="sender"'), restarts);
});

test("figures are followed over time, survive a crash of the server, and are drawn in the terminal", async () => {
  const query = ["metrics", "query", "drover_instance_memory_bytes", "--app", "web"];
  await drover.until("the first figures are there", async () => (await drover.cli(query)).code === 0);
  await drover.kill("server");
  await drover.ready();
  const { series } = JSON.parse(await drover.run(...query, "--json")) as {
    series: { labels: Record<string, string>; values: (number | null)[] }[];
  };
  assert.equal(series.length, 2);
  assert.ok(
    series.every(({ labels, values }) => labels["process"] === "web" && values.some((bytes) => bytes !== null && bytes > 10_000_000)),
  );
  assert.match((await drover.cli([...query, "--by", "proces"])).stderr, /has no label "proces".*\nhint: .*"process"/);
  assert.match(await drover.run(...query), /instance_id=\S+ +[▁-█ ]+ +[\d.]+MiB/);
  assert.match(await drover.run("metrics", "query", "orders_total", "--app", "teller", "--fn", "last"), /kind=a/);
  assert.match(await drover.run("metrics", "ls", "duration"), /drover_route_request_duration_seconds +histogram/);
});

test("figures are for those who have a token", async () => {
  assert.equal((await fetch(`http://127.0.0.1:${drover.apiPort}/metrics`)).status, 401);
});

const withoutPromtool = programOnPath("promtool") === null && "promtool is not here; the format was not tested against it";
test("promtool finds nothing to say against the format, the names or the help", { skip: withoutPromtool }, async () => {
  // What an app calls its own, and whether it says what that is, is its own affair.
  const own = (await scrape()).split("\n").filter((line) => /^(?:# [A-Z]+ )?drover_/.test(line));
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: `${own.join("\n")}\n`, encoding: "utf8" });
  assert.deepEqual([status, stdout, stderr], [0, "", ""]);
});

/** The configuration of the guide, docs/guides/metrics.md. */
const scrapeConfig = () => `
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: drover
    authorization: { credentials_file: ${join(drover.home, "token")} }
    static_configs: [{ targets: ["127.0.0.1:${drover.apiPort}"] }]
  - job_name: found
    authorization: { credentials_file: ${join(drover.home, "token")} }
    http_sd_configs:
      - url: http://127.0.0.1:${drover.apiPort}/v1/metrics/targets
        authorization: { type: Bearer, credentials_file: ${join(drover.home, "token")} }
`;

const scrapers = {
  prometheus: (port: number, config: string) => [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, "prometheus")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ],
  "victoria-metrics": (port: number, config: string) => [
    `-promscrape.config=${config}`,
    `-storageDataPath=${join(folder, "victoria")}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    // Answers would leave out the last half minute, for scrapers that are behind.
    "-search.latencyOffset=0s",
  ],
} as const;

describe("scraped by programs of others", { concurrency: true }, () => {
  for (const [name, argumentsOf] of Object.entries(scrapers)) {
    const skip = programOnPath(name) === null && `${name} is not here; that it can scrape Drover was not tested`;
    test(`${name} scrapes them and answers from them`, { skip }, async () => {
      const port = await freePort();
      const config = join(folder, `${name}.yaml`);
      await writeFile(config, scrapeConfig());
      const scraper = spawn(name, argumentsOf(port, config), { stdio: "ignore" });
      try {
        const ask = async (query: string) => {
          const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`);
          return ((await answer.json()) as { data: { result: { value: [number, string] }[] } }).data.result.map(({ value }) => value[1]);
        };
        for (const job of ["drover", "found"]) {
          await drover.until(`it has asked ${job}`, async () => (await ask(`up{job="${job}"}`)).join() === "1");
          assert.deepEqual(await ask(`sum(drover_instance_ready{app="web",job="${job}"})`), ["2"]);
          assert.deepEqual(await ask(`sum(drover_route_requests_total{route="${host}/",job="${job}"})`), [String(requests)]);
        }
        const source = new PrometheusFigures({
          url: `http://127.0.0.1:${port}`,
          clock: systemClock,
          own: familyOf,
          spaces: () => ["default", "other"],
        });
        const about = {
          matches: [{ label: "app", isEqual: true, value: "web" }],
          aggregate: "max",
          by: ["space", "process"],
          quantile: 0.5,
        } as const;
        const told = (name: string, sees: (space: string | null) => boolean) =>
          source.query({ ...about, name, fn: "last", fromMs: Date.now() - 300_000, toMs: null, stepMs: 15_000 }, sees, signal);
        await drover.until("a point is there", async () => (await told("drover_instance_ready", () => true)).series.length > 0);
        const answered = await told("drover_instance_ready", () => true);
        assert.deepEqual(answered.series[0]?.labels, { space: "default", process: "web" });
        assert.equal(
          answered.series[0]?.values.findLast((value) => value !== null),
          1,
        );
        assert.deepEqual((await told("drover_instance_ready", (space) => space === "other")).series, []);
        const names = await source.names(() => true, signal);
        assert.equal(names.find(({ name }) => name === "drover_route_request_duration_seconds")?.type, "histogram");
        assert.ok(names.some(({ name }) => name === "orders_total") && !names.some(({ name }) => name === "up"));
        const { labels } = await source.labels("drover_instance_ready", about.matches, () => true, signal);
        assert.deepEqual([labels["app"], labels["job"]], [["web"], undefined]);
      } finally {
        await end(scraper);
      }
    });
  }
});

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
