import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { Measurement } from "#model/measurement.ts";
import { ofTarget } from "../escalator/of-target.ts";
import type { Stretch } from "./figure-store.ts";
import { createMeasure } from "./measure.ts";
import type { Series } from "./series.ts";

const nowMs = 1_700_000_000_000 - (1_700_000_000_000 % 15_000);
const times = Array.from({ length: 12 }, (_, i) => nowMs - (11 - i) * 15_000);

/** A series whose value at the n-th of twelve moments is `valueAt(n)`. */
function stretch(name: string, kind: Series["kind"], labels: Series["labels"], valueAt: (n: number) => number): Stretch {
  return {
    key: JSON.stringify([name, labels]),
    series: { name, kind, labels },
    times,
    values: Float64Array.from(times, (_, n) => valueAt(n)),
  };
}

const app = { space: "shop", app: "web" };
const known = [
  stretch("errors_total", "counter", { ...app, class: "5xx" }, (n) => 3 * n),
  stretch("errors_total", "counter", { ...app, class: "none" }, (n) => n),
  stretch("requests_total", "counter", app, (n) => 50 * n),
  stretch("requests_total", "counter", { space: "shop", app: "idle" }, () => 9),
  stretch("errors_total", "counter", { space: "shop", app: "idle", class: "5xx" }, () => 0),
  stretch("errors_total", "counter", { space: "blog", app: "web", class: "5xx" }, (n) => 1_000 * n),
  stretch("jobs_waiting", "gauge", { ...app, queue: "a" }, (n) => n),
  stretch("took_bucket", "counter", { ...app, le: "0.1" }, (n) => n),
  stretch("took_bucket", "counter", { ...app, le: "+Inf" }, (n) => 2 * n),
];
const measure = createMeasure(
  { recent: (name) => known.filter(({ series }) => series.name === name).values() as never },
  new VirtualClock(nowMs),
);
const usual: Measurement = { metric: "", of: null, match: {}, fn: null, aggregate: "sum", quantile: 0.5, overMs: 60_000 };
const of = (more: Partial<Measurement>, target: "space" | `app/${string}` = "app/web") =>
  measure({ ...usual, ...more }, ofTarget("shop" as never, target));

test("a counter is its rate, a gauge its average and a histogram its quantile over the last time", () => {
  assert.ok(Math.abs((of({ metric: "requests_total" }) ?? 0) - 50 / 15) < 1e-9);
  assert.equal(of({ metric: "jobs_waiting" }), 9.5);
  assert.equal(of({ metric: "jobs_waiting", fn: "last" }), 11);
  assert.equal(of({ metric: "took", quantile: 0.25 }), 0.05);
});

test("what is asked of a given time is of that time alone", () => {
  const isMeant = ofTarget("shop" as never, "app/web");
  const grown = { ...usual, metric: "requests_total", fn: "increase" } as const;
  assert.equal(measure(grown, isMeant, { fromMs: nowMs - 15_000, toMs: nowMs }), 50);
  assert.equal(measure(grown, isMeant, { fromMs: nowMs - 45_000, toMs: nowMs - 15_000 }), 100);
});

test("failed requests are a share of all, of the target and of no other space", () => {
  const share = (target: "space" | `app/${string}`) => of({ metric: "errors_total", of: "requests_total" }, target);
  assert.ok(Math.abs((share("app/web") ?? 0) - 4 / 50) < 1e-9);
  assert.ok(Math.abs((share("space") ?? 0) - 4 / 50) < 1e-9);
  const some = of({ metric: "errors_total", match: { class: "5xx" }, of: "requests_total" });
  assert.ok(Math.abs((some ?? 0) - 3 / 50) < 1e-9);
});

test("of no requests none fails, and what nobody told is not known", () => {
  assert.equal(of({ metric: "errors_total", of: "requests_total" }, "app/idle"), 0);
  assert.equal(of({ metric: "errors_total", of: "requests_total" }, "app/gone"), null);
  assert.equal(of({ metric: "nothing" }), null);
});
