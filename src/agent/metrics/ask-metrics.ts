import type { MetricsAnswer, MetricsQuestion, MetricsQuestions } from "#model/app-metrics.ts";
import type { InstanceId } from "#model/names.ts";
import { loopbackGet } from "../loopback-get.ts";
import { readExposition } from "./read-exposition.ts";
import type { LazyStatsd } from "./statsd/lazy-statsd.ts";

/** All together: the server waits a second for every agent. One that takes longer is told at another time. */
const allWithinMs = 800;
/** Enough for hundreds of instances in that time, few enough to be no load. */
const atOnce = 16;
/** So much before its time is over an instance is asked again: figures are wanted at steps of 15 seconds, and never exactly there. */
const earlyMs = 5_000;
/** Thousands of series; more is not read. */
const longestBodyBytes = 2 ** 20;
const accept = "text/plain;version=0.0.4";

export interface MetricsPlaces {
  /** Where the instance listens on this machine, null where it has no port; undefined where it does not run. */
  readonly portOf: (instance: InstanceId) => number | null | undefined;
  readonly statsd: Pick<LazyStatsd, "read">;
  readonly kept: KeptMetrics;
  readonly monotonicMs: () => number;
}

/** What instances that are asked seldom told last, and when by the clock that never jumps. */
export type KeptMetrics = Map<InstanceId, { readonly atMs: number; readonly answer: MetricsAnswer }>;

/** What instances tell when they are asked, and what they sent by statsd: one answer for each. */
export async function askMetrics(
  { questions, statsd }: MetricsQuestions,
  places: MetricsPlaces,
  signal: AbortSignal,
): Promise<readonly MetricsAnswer[]> {
  const { portOf, kept, monotonicMs } = places;
  for (const instance of kept.keys()) if (portOf(instance) === undefined) kept.delete(instance);
  const nowMs = monotonicMs();
  const isDue = ({ instance, everyMs = 0 }: MetricsQuestion) =>
    nowMs - (kept.get(instance)?.atMs ?? Number.NEGATIVE_INFINITY) >= everyMs - earlyMs;
  const told = new Map<InstanceId, MetricsAnswer>();
  for (const { instance } of questions.filter((question) => !isDue(question))) {
    const answer = kept.get(instance)?.answer;
    if (answer !== undefined) told.set(instance, { ...answer, metrics: answer.metrics.map((metric) => ({ ...metric, isKept: true })) });
  }
  for (const answer of await askAll(questions.filter(isDue), portOf, signal)) told.set(answer.instance, answer);
  for (const { instance, everyMs } of questions.filter(isDue)) {
    const answer = told.get(instance);
    // One that did not answer is asked again at once: nothing is known of it.
    if (everyMs !== undefined && answer !== undefined && answer.metrics.length > 0) kept.set(instance, { atMs: nowMs, answer });
  }
  for (const instance of statsd) told.set(instance, withSent(instance, told.get(instance) ?? null, await places.statsd.read(instance)));
  return [...told.values()];
}

function withSent(instance: InstanceId, told: MetricsAnswer | null, sent: Awaited<ReturnType<LazyStatsd["read"]>>): MetricsAnswer {
  if (sent === null) return told ?? { instance, metrics: [], why: "nothing listens for what it sends by statsd" };
  const names = new Set(told?.metrics.map(({ name }) => name));
  const metrics = sent.metrics.filter(({ name }) => !names.has(name));
  const whys = [
    ...(told?.why == null ? [] : [told.why]),
    ...(sent.isFull ? ["it sends more figures by statsd than are kept"] : []),
    ...(metrics.length === sent.metrics.length ? [] : ["what it tells and what it sends by statsd have the same names"]),
  ];
  const why = whys.length === 0 ? null : whys.join("; ");
  return { instance, metrics: [...(told?.metrics ?? []), ...metrics], why, statsdLeftOut: sent.leftOut };
}

async function askAll(
  questions: readonly MetricsQuestion[],
  portOf: MetricsPlaces["portOf"],
  signal: AbortSignal,
): Promise<readonly MetricsAnswer[]> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(allWithinMs)]);
  const answers: MetricsAnswer[] = [];
  const left = [...questions];
  const askNext = async () => {
    for (let question = left.shift(); question !== undefined; question = left.shift())
      answers.push(await ask(question, portOf(question.instance), until));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, questions.length) }, askNext));
  signal.throwIfAborted();
  return answers;
}

async function ask({ instance, path, port }: MetricsQuestion, own: number | null | undefined, until: AbortSignal): Promise<MetricsAnswer> {
  const nothing = (why: string): MetricsAnswer => ({ instance, metrics: [], why });
  if (own === undefined) return nothing("it does not run");
  const at = port ?? own;
  if (at === null) return nothing("it has no port");
  try {
    const { status, text } = await loopbackGet(at, path, { accept, agent: "drover-metrics", longestBytes: longestBodyBytes }, until);
    if (status !== 200) return nothing(`it answered ${path} with ${status}`);
    if (text === null) return nothing(`its answer at ${path} is longer than ${longestBodyBytes} bytes`);
    const { metrics, leftOut } = readExposition(text);
    return { instance, metrics, why: leftOut === 0 ? null : `${leftOut} of its figures are too many, or are none` };
  } catch (error) {
    return nothing(until.aborted ? "it did not answer in time" : error instanceof Error ? error.message : String(error));
  }
}
