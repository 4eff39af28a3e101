import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { MetricAnswer, MetricLabelsView, MetricNameView } from "#model/api-metrics.ts";
import { keyOf, type Sample } from "../../figures/series.ts";
import { type ApiFixture, startApi } from "../testing/api-fixture.ts";

let api: ApiFixture;

const bucket = (space: string, le: string, value: number): Sample =>
  of("drover_took_seconds_bucket", "counter", { space, app: "x", le }, value);

function of(name: string, kind: Sample["kind"], labels: Sample["labels"], value: number): Sample {
  return { name, kind, labels, value, key: keyOf({ name, labels }) };
}

before(async () => {
  api = await startApi();
  const nowMs = api.services.clock.nowMs();
  for (const minutesAgo of [4, 3, 2, 1])
    await api.follow(
      nowMs - minutesAgo * 60_000,
      ["shop", "blog"].flatMap((space) => [
        of("drover_used_bytes", "gauge", { space, app: "x", machine: "m" }, 10 - minutesAgo),
        of("drover_served_total", "counter", { space, app: "x" }, 1_000 - 60 * minutesAgo),
        bucket(space, "0.1", 100 - 10 * minutesAgo),
        bucket(space, "+Inf", 100 - 10 * minutesAgo),
        of("drover_took_seconds_count", "counter", { space, app: "x" }, 100 - 10 * minutesAgo),
      ]),
    );
  for (const space of ["shop", "blog"]) await api.call("PUT", `/v1/spaces/${space}`, {});
});
after(() => api[Symbol.asyncDispose]());

const names = async () => (await api.call<{ metrics: MetricNameView[] }>("GET", "/v1/metrics/names")).metrics;
const query = (text: string) => api.call<MetricAnswer>("GET", `/v1/metrics/query?${text}`);
const known = (values: readonly (number | null)[] = []) => values.filter((value) => value !== null);

test("metrics are listed with what they are, a histogram as one", async () => {
  assert.deepEqual(
    (await names()).map(({ name, type, labels, series }) => [name, type, labels.join(), series]),
    [
      ["drover_served_total", "counter", "space,app", 2],
      ["drover_took_seconds", "histogram", "space,app", 2],
      ["drover_used_bytes", "gauge", "space,app,machine", 2],
    ],
  );
  const { labels } = await api.call<MetricLabelsView>("GET", "/v1/metrics/labels?name=drover_used_bytes&match=space!=blog");
  assert.deepEqual(labels, { space: ["shop"], app: ["x"], machine: ["m"] });
});

test("a metric is told over time as suits what it is, for each series or for each group", async () => {
  const gauge = await query("name=drover_used_bytes&match=space=shop&match=app=x&stepMs=60000");
  assert.deepEqual([gauge.fn, gauge.stepMs, gauge.source, gauge.leftOut], ["avg", 60_000, "drover", 0]);
  assert.equal(gauge.series[0]?.values.length, (gauge.toMs - gauge.fromMs) / gauge.stepMs + 1);
  const last = await query("name=drover_used_bytes&match=space=shop&match=app=x&stepMs=15000");
  assert.deepEqual(known(last.series[0]?.values), [6, 7, 8, 9]);
  const rates = await query("name=drover_served_total&by=app&stepMs=15000");
  assert.deepEqual([rates.fn, rates.aggregate, rates.series.length], ["rate", "sum", 1]);
  assert.ok(known(rates.series[0]?.values).every((rate) => Math.abs(rate - 2) < 1e-9));
  const quick = await query("name=drover_took_seconds&quantile=0.5&match=space=blog");
  assert.equal(quick.fn, "quantile");
  assert.ok(known(quick.series[0]?.values).every((seconds) => Math.abs(seconds - 0.05) < 1e-9));
});

test("what nobody knows, or what is too much, is refused with the next step", async () => {
  const refused = async (text: string) => {
    const answer = await api.fetch("GET", `/v1/metrics/query?${text}`);
    const { code, hint } = (await answer.json()) as { code: string; hint: string };
    assert.ok(hint.length > 10);
    hints.push(hint);
    return code;
  };
  const hints: string[] = [];
  assert.equal(await refused("name=nothing_of_this"), "METRIC_NOT_FOUND");
  assert.equal(await refused("name=drover_use_byte"), "METRIC_NOT_FOUND");
  assert.match(hints.at(-1) ?? "", /^Did you mean "drover_used_bytes"\? "drover metrics ls"/);
  assert.equal(await refused("name=drover_used_bytes&fn=quantile"), "REQUEST_INVALID");
  assert.equal(await refused("name=drover_used_bytes&match=space"), "REQUEST_INVALID");
  for (const by of ["app) (drover_used_bytes) or sum by (app", "__proto__", "a b", "1a"])
    assert.equal(await refused(`name=drover_used_bytes&by=${encodeURIComponent(by)}`), "REQUEST_INVALID", by);
  assert.equal(await refused("name=drover_used_bytes&match=__name__=up"), "REQUEST_INVALID");
  const nowMs = api.services.clock.nowMs();
  assert.equal(await refused(`name=drover_used_bytes&fromMs=${nowMs - 40_000_000}&stepMs=15000`), "REQUEST_INVALID");
  assert.equal(await refused(`name=drover_used_bytes&fromMs=${nowMs + 3_600_000}`), "REQUEST_INVALID");
  const old = await query(`name=drover_used_bytes&fromMs=${nowMs - 5 * 86_400_000}&stepMs=15000`).catch((error: Error) => error.message);
  assert.equal((old as MetricAnswer).stepMs, 300_000, "figures of that age are kept at five minutes");
});

test("who may see one space is told of it, and of no other", async () => {
  const headers = await api.as("viewer", ["shop"]);
  const seen = async <T>(path: string) => (await (await api.fetch("GET", path, { headers })).json()) as T;
  const { series } = await seen<MetricAnswer>("/v1/metrics/query?name=drover_used_bytes&match=app=x");
  assert.deepEqual(
    series.map(({ labels }) => labels["space"]),
    ["shop"],
  );
  const { labels } = await seen<MetricLabelsView>("/v1/metrics/labels?name=drover_served_total");
  assert.deepEqual(labels["space"], ["shop"]);
  const { metrics } = await seen<{ metrics: MetricNameView[] }>("/v1/metrics/names");
  assert.ok(metrics.every((metric) => metric.series === 1));
});

test("service discovery tells where the figures are", async () => {
  const [target] = await api.call<{ targets: string[]; labels: Record<string, string> }[]>("GET", "/v1/metrics/targets");
  assert.deepEqual(target, { targets: ["127.0.0.1:7373"], labels: { __scheme__: "http", __metrics_path__: "/metrics" } });
});
