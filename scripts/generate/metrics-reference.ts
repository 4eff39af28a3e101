import { families } from "../../src/server/metrics/families.ts";

/** The page of all figures. */
export function metricsReference(): string {
  const rows = Object.entries(families).map(
    ([name, { type, labels, help }]) => `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(" ")} | ${help} |`,
  );
  return `# Metrics

What \`GET /metrics\` tells, in the text format of Prometheus. [The guide](../guides/metrics.md) has the questions that they answer.

| name | type | labels | meaning |
| --- | --- | --- | --- |
${rows.join("\n")}

Generated from \`src/server/metrics/families.ts\` by \`npm run generate\`.
`;
}
