import type { InstanceId } from "./names.ts";

/** Figures that apps tell of themselves. The agent reads them; whose they are the server says, not the app. */

/** Where an instance tells its figures, in the text format of Prometheus. */
export interface MetricsPlace {
  readonly path: string;
  /** On the machine's loopback; null: the instance's own port. */
  readonly port: number | null;
  /** Between two questions. Left out: whenever figures are wanted, which is every 15 seconds. */
  readonly everyMs?: number;
}

export interface MetricsQuestion extends MetricsPlace {
  readonly instance: InstanceId;
}

/** What an agent is asked at once. */
export interface MetricsQuestions {
  readonly questions: readonly MetricsQuestion[];
  /** Instances that send theirs by statsd. Agents of before that read none of them. */
  readonly statsd: readonly InstanceId[];
}

export type AppMetricType = "counter" | "gauge" | "histogram" | "summary" | "untyped";

/** One name with what belongs to it: of a histogram the buckets, their sum and their count. */
export interface AppMetric {
  readonly name: string;
  readonly type: AppMetricType;
  readonly help: string;
  readonly samples: readonly AppSample[];
  /** As it was told before: the instance is not asked again yet. */
  readonly isKept?: true;
}

/** Name, labels and value as they were told. */
export type AppSample = readonly [name: string, labels: Readonly<Record<string, string>>, value: number];

export interface MetricsAnswer {
  readonly instance: InstanceId;
  readonly metrics: readonly AppMetric[];
  /** Why something is missing, in words; null if all was read. */
  readonly why: string | null;
  /** Lines and packets that it sent by statsd and that were none, or had no place. Left out where nothing listens for them. */
  readonly statsdLeftOut?: number;
}

/** Series that one instance may tell. */
export const mostSeriesOfInstance = 2_000;
