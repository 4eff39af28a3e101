import assert from "node:assert/strict";
import { test } from "node:test";
import { Exposition } from "./exposition.ts";
import { families } from "./families.ts";

test("samples stand below the help and type of their family, whatever order they came in", () => {
  const told = new Exposition();
  told.add("drover_app_release", { space: "a", app: "x" }, 3);
  told.add("drover_store_revision", {}, 7);
  told.add("drover_app_release", { space: "a", app: "y" }, 4);
  const text = [...told.pieces()].join("");
  assert.equal(
    text,
    `# HELP drover_app_release ${families.drover_app_release.help}
# TYPE drover_app_release gauge
drover_app_release{space="a",app="x"} 3
drover_app_release{space="a",app="y"} 4
# HELP drover_store_revision ${families.drover_store_revision.help}
# TYPE drover_store_revision gauge
drover_store_revision 7
`,
  );
});

test("what could end a label's text does not", () => {
  const told = new Exposition();
  told.add("drover_problems", { code: 'a"b\\c\nd' }, 1);
  assert.match([...told.pieces()].join(""), /drover_problems\{code="a\\"b\\\\c\\nd"\} 1\n$/);
});

test("buckets of a histogram hold all that is below them, and the last one everything", () => {
  const told = new Exposition();
  const labels = { space: "a", app: "x", process: "web", route: "h/", release: "1", machine: "m" };
  told.histogram("drover_route_request_duration_seconds", labels, [0.1, 1], [2, 3, 4], 12.5);
  const lines = [...told.pieces()].join("").split("\n").slice(2, -1);
  assert.deepEqual(
    lines.map((line) => line.replace(/\{.*?(le="[^"]*")?\}/, (_, le) => `{${le ?? ""}}`)),
    [
      'drover_route_request_duration_seconds_bucket{le="0.1"} 2',
      'drover_route_request_duration_seconds_bucket{le="1"} 5',
      'drover_route_request_duration_seconds_bucket{le="+Inf"} 9',
      "drover_route_request_duration_seconds_sum{} 12.5",
      "drover_route_request_duration_seconds_count{} 9",
    ],
  );
});

test("names and units are what Prometheus expects of its kind", () => {
  for (const [name, { type, labels }] of Object.entries(families)) {
    assert.match(name, /^drover_[a-z][a-z0-9_]*$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    for (const label of labels) assert.ok(!["instance", "job"].includes(label), `${name} takes a label of Prometheus itself`);
  }
});
