import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { type Family, families } from "../../src/server/metrics/families.ts";
import { root } from "../harness/drover.ts";

const folder = join(root, "packaging/grafana");
const all = new Map<string, Family>(Object.entries(families));

interface Model {
  readonly uid: string;
  readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] };
  readonly panels: readonly {
    readonly id: number;
    readonly title: string;
    readonly targets: readonly { readonly expr: string; readonly legendFormat?: string }[];
  }[];
}

/** Of a histogram its parts are told. */
function familyOf(metric: string): Family {
  const base = metric.replace(/_(?:bucket|sum|count)$/, "");
  const part = all.get(base);
  const family =
    part?.type === "histogram" && base !== metric
      ? { ...part, labels: [...part.labels, ...(metric.endsWith("_bucket") ? ["le"] : [])] }
      : all.get(metric);
  assert.ok(family !== undefined && (family.type !== "histogram" || base !== metric), `"${metric}" is nothing that is told`);
  return family;
}

/** Every metric of the expression is told, and has each label that the expression matches, groups by, or shows. */
function checkExpression(expression: string, shown: readonly string[]): void {
  const metrics = [...expression.matchAll(/\b(drover_[a-z0-9_]+)(?:\{([^}]*)\})?/g)].map(([, metric = "", matchers = ""]) => ({
    family: familyOf(metric),
    metric,
    matchers,
  }));
  assert.ok(metrics.length > 0, `"${expression}" asks for nothing of Drover`);
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = ""]) =>
    labels.split(",").map((label) => label.trim()),
  );
  for (const { metric, family, matchers } of metrics) {
    const matched = [...matchers.matchAll(/([a-z_]+)(?:=~|!=|!~|=)/g)].map(([, label = ""]) => label);
    for (const label of [...matched, ...grouped, ...shown])
      assert.ok(family.labels.includes(label), `"${metric}" has no label "${label}": ${expression}`);
    if (family.type === "counter") assert.match(expression, /\b(?:rate|increase)\(/, `"${metric}" is a counter`);
  }
}

test("every dashboard asks for what is told, by labels that it has", async () => {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  assert.deepEqual(files, ["app.json", "edge.json", "machine.json", "overview.json", "platform.json"]);
  for (const file of files) {
    const model = JSON.parse(await readFile(join(folder, file), "utf8")) as Model;
    assert.equal(model.uid, `drover-${file.replace(".json", "")}`);
    assert.equal(new Set(model.panels.map(({ id }) => id)).size, model.panels.length);
    for (const { query } of model.templating.list)
      if (typeof query !== "string") {
        const [, metric = "", label = ""] = /^label_values\(([a-z0-9_]+)(?:\{[^}]*\})?, ([a-z_]+)\)$/.exec(query.query) ?? [];
        assert.ok(familyOf(metric).labels.includes(label), query.query);
      }
    for (const { targets } of model.panels)
      for (const { expr, legendFormat = "" } of targets)
        checkExpression(
          expr,
          [...legendFormat.matchAll(/\{\{([a-z_]+)\}\}/g)].map(([, label = ""]) => label),
        );
  }
});
