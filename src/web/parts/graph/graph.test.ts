import assert from "node:assert/strict";
import { test } from "node:test";
import { figureText, unitOf } from "./figure-words.ts";
import { axisEnd, lineOf, tellingLabels } from "./graph-lines.ts";

test("an axis ends with a round number that all points are below", () => {
  assert.deepEqual(
    [0, 0.03, 1, 7, 20, 1_300].map((most) => axisEnd(most, false)),
    [1, 0.05, 1, 10, 20, 2_000],
  );
  assert.deepEqual(
    [700, 3_000_000].map((most) => axisEnd(most, true)),
    [1_024, 4 * 2 ** 20],
  );
});

test("a line is broken where nothing is known, and a point alone is a dot", () => {
  assert.equal(lineOf([0, 5, null, 10, null], 10), "M0 100L250 50M750 0h0");
  assert.equal(lineOf([null, null], 1), "");
});

test("figures are told in what they are measured in", () => {
  const told = (value: number | null, name: string, fn: Parameters<typeof unitOf>[1]) => figureText(value, unitOf(name, fn));
  assert.equal(told(3 * 2 ** 20, "drover_instance_memory_bytes", "avg"), "3.0 MiB");
  assert.equal(told(2_048, "drover_machine_network_sent_bytes_total", "rate"), "2.0 KiB/s");
  assert.equal(told(0.25, "drover_instance_cpu_seconds_total", "rate"), "0.25 cores");
  assert.equal(told(0.02, "drover_route_request_duration_seconds", "quantile"), "20 ms");
  assert.equal(told(12, "drover_route_requests_total", "rate"), "12/s");
  assert.equal(told(null, "up", "avg"), "–");
});

test("series are called by the labels in which they differ", () => {
  const labels = (release: string, machine = "a") => ({ labels: { space: "s", release, machine } });
  assert.deepEqual(tellingLabels([labels("1"), labels("2")]), ["release"]);
  assert.deepEqual(tellingLabels([labels("1")]), []);
});
