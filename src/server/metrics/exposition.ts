import type { AppMetric } from "#model/app-metrics.ts";
import { ownedLabels } from "./app-metrics.ts";
import { type FamilyName, families, type HistogramFamily, type LabelsOf, type PlainFamily } from "./families.ts";

/** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

/** How much of the text is made in one piece: a large installation's megabytes must not hold up everybody else. */
const linesPerPiece = 2_000;

/** Takes figures as they are collected. */
export interface FigureSink {
  /** @param zeroAtMs of a counter: when it stood at zero for certain, in epoch milliseconds; null or left out: not known. So for the others */
  add<F extends PlainFamily>(name: F, labels: LabelsOf<F>, value: number, zeroAtMs?: number | null): void;
  /**
   * @param boundsSeconds upper bounds of the buckets, rising
   * @param counts for each bucket alone, and one more for all above the last bound
   * @param sumSeconds of all that was counted; null where nobody added it up
   */
  histogram<F extends HistogramFamily>(
    name: F,
    labels: LabelsOf<F>,
    boundsSeconds: readonly number[],
    counts: readonly number[],
    sumSeconds: number | null,
    zeroAtMs?: number | null,
  ): void;
  /** What an app tells of itself. @param own labels that say whose it is, which it cannot set itself */
  ofApp(metric: AppMetric, own: Readonly<Record<string, string>>, zeroAtMs?: number | null): void;
}

/** Samples by family, and their text. */
export class Exposition implements FigureSink {
  readonly #lines = new Map<FamilyName, string[]>();
  /** By name; two apps may mean different things by one. */
  readonly #ofApps = new Map<string, { type: AppMetric["type"]; readonly help: string; readonly lines: string[] }>();

  add<F extends PlainFamily>(name: F, labels: LabelsOf<F>, value: number): void {
    this.#of(name).push(line(name, labels, value));
  }

  histogram<F extends HistogramFamily>(
    name: F,
    labels: LabelsOf<F>,
    boundsSeconds: readonly number[],
    counts: readonly number[],
    sumSeconds: number | null,
  ): void {
    const lines = this.#of(name);
    for (const part of histogramParts(name, labels, boundsSeconds, counts, sumSeconds)) lines.push(line(...part));
  }

  ofApp({ name, type, help, samples }: AppMetric, own: Readonly<Record<string, string>>): void {
    let family = this.#ofApps.get(name);
    if (family === undefined) this.#ofApps.set(name, (family = { type, help, lines: [] }));
    else if (family.type !== type) family.type = "untyped";
    for (const [sample, labels, value] of samples) family.lines.push(line(sample, ownedLabels(labels, own), value));
  }

  /** The text in pieces, family by family. */
  *pieces(): Generator<string, void, void> {
    for (const [name, lines] of this.#lines) {
      const { help, type } = families[name];
      yield* piecesOf(name, type, help.replaceAll("\\", "\\\\"), lines);
    }
    // Help of apps is told as they wrote it.
    for (const [name, { type, help, lines }] of this.#ofApps) yield* piecesOf(name, type, help, lines);
  }

  #of(name: FamilyName): string[] {
    let lines = this.#lines.get(name);
    if (lines === undefined) this.#lines.set(name, (lines = []));
    return lines;
  }
}

function* piecesOf(name: string, type: string, help: string, lines: readonly string[]): Generator<string, void, void> {
  yield `${help === "" ? "" : `# HELP ${name} ${help}\n`}# TYPE ${name} ${type}\n`;
  for (let i = 0; i < lines.length; i += linesPerPiece) yield lines.slice(i, i + linesPerPiece).join("");
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numberText(value)}\n`;
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}

/** A histogram as Prometheus has it: how many were at most each bound, the last of which is infinite, their sum and their count. */
export function* histogramParts(
  name: string,
  labels: Readonly<Record<string, string>>,
  boundsSeconds: readonly number[],
  counts: readonly number[],
  sumSeconds: number | null,
): Generator<[name: string, labels: Readonly<Record<string, string>>, value: number], void, void> {
  let total = 0;
  for (const [i, count] of counts.entries()) {
    total += count;
    yield [`${name}_bucket`, { ...labels, le: numberText(boundsSeconds[i] ?? Number.POSITIVE_INFINITY) }, total];
  }
  if (sumSeconds !== null) yield [`${name}_sum`, labels, sumSeconds];
  yield [`${name}_count`, labels, total];
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
