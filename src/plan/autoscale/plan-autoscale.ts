import { formatDuration, formatSize } from "#model/quantities.ts";
import { latencyBoundsMs } from "#model/routing-table.ts";
import type { ScaleActivity, ScaleLoad, ScaleMeasure, ScaleQuantity, ScaleRule } from "#model/scale.ts";
import { hoursAt } from "../checks/expected-hours.ts";

/** So far from what is wanted nothing is changed: figures always waver a little. */
const tolerance = 0.1;
/** At one look the instances may double, or be so many more where they are few. */
const fewMore = 4;
/** So long after some went no more go: what is left has to be seen bearing the load. */
const downEveryMs = 60_000;
/** What was needed while nobody looked for longer than this is not known. */
const longestGapMs = 60_000;
/** Of what latency may be: below that there are more instances than it takes. */
const quickShare = 0.5;

/** What was seen before, by the clock that never jumps. */
export interface ScaleHistory {
  /** What was needed at each look of the last `downAfterMs`; where that was not known, what there was at the least. */
  readonly needed: readonly { readonly atMs: number; readonly count: number }[];
  readonly downAtMs: number | null;
  /** When somebody last asked for it, or it was not known. Left out: never looked at. */
  readonly busyAtMs?: number;
}

export interface ScaleInput {
  readonly rule: ScaleRule;
  /** Instances that there are to be now. */
  readonly wanted: number;
  /** Null: nothing was measured yet. */
  readonly load: ScaleLoad | null;
  /** For rules whose `min` is 0; null or left out: nothing was measured yet. */
  readonly activity?: ScaleActivity | null;
  /** Two releases share the load: none of them goes. */
  readonly isRollingOut: boolean;
  /** Null: never looked at. */
  readonly history: ScaleHistory | null;
  /** By the clock that never jumps. */
  readonly atMs: number;
  /** By the clock on the wall, for schedules. */
  readonly nowMs: number;
}

export interface ScaleDecision {
  /** Instances that there are to be from now on. */
  readonly count: number;
  /** What the load asks for, within `min` and `max`. */
  readonly needed: number;
  /** Why so many are needed. */
  readonly because: string;
  /** Why there are to be others than are needed; null if there are not. */
  readonly held: string | null;
  readonly history: ScaleHistory;
}

interface Answer {
  readonly count: number;
  readonly words: string;
  readonly missing: string | null;
  /** It asks for nothing because there is no figure at all: that is told whatever the others ask for. */
  readonly isUntold?: boolean;
}

/** How many instances a process is to have. Pure; to be asked again every few seconds, with the history that it gave the last time. */
export function planAutoscale(input: ScaleInput): ScaleDecision {
  const { rule, wanted, atMs, isRollingOut } = input;
  const busyAtMs = busyAtOf(input);
  const floor = floorOf(input, busyAtMs);
  const answers = answersOf(input);
  const leading = answers.reduce<Answer | null>((most, one) => (most === null || one.count > most.count ? one : most), null);
  const asked = leading?.count ?? 0;
  const needed = Math.min(rule.max, Math.max(floor.count, asked));
  const bound = asked > rule.max ? [`\`max\` is ${rule.max}`] : asked < floor.count ? [floor.words] : [];
  const untold = answers.flatMap((one) => (one.isUntold && one !== leading ? one.words : []));
  const because = [...(leading === null ? [] : [leading.words]), ...bound, ...untold].join("; ");
  const before = input.history ?? { needed: [], downAtMs: null };
  const unknown = unknownOf(input, answers);
  const isFirst = asksForLoad(rule) && atMs - (before.needed.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) > longestGapMs;
  const look = { atMs, count: unknown === null && !isFirst ? needed : Math.max(needed, wanted) };
  const kept = [...before.needed.filter((one) => one.atMs > atMs - rule.downAfterMs), look];
  const decide = (count: number, held: string | null): ScaleDecision => {
    const downAtMs = count < wanted ? atMs : before.downAtMs;
    return { count, needed, because, held, history: { needed: kept, downAtMs, busyAtMs } };
  };

  // Nobody asks for it: what it uses meanwhile is no load.
  if (floor.count === 0) {
    if (wanted === 0) return { ...decide(0, null), needed: 0, because: floor.words };
    if (!isRollingOut) return { ...decide(0, null), needed: 0, because: floor.words };
  }
  // What people declared holds at once, whatever the load.
  if (wanted > rule.max) return decide(rule.max, null);
  if (wanted < floor.count) return decide(floor.count, needed > floor.count ? "the next look adds more" : null);
  if (needed >= wanted) {
    const most = Math.max(2 * wanted, wanted + fewMore);
    return needed <= most ? decide(needed, null) : decide(most, `at most ${most} at this look`);
  }
  if (unknown !== null) return decide(wanted, unknown);
  if (isRollingOut) return decide(wanted, "none goes while a release replaces another");
  const peak = Math.max(...kept.map(({ count }) => count));
  const peakWords = `up to ${peak} were needed within ${formatDuration(rule.downAfterMs)}`;
  if (peak >= wanted) return decide(wanted, peakWords);
  if (before.downAtMs !== null && atMs - before.downAtMs < downEveryMs)
    return decide(wanted, `some went less than ${formatDuration(downEveryMs)} ago`);
  const count = Math.max(peak, Math.floor(wanted / 2));
  if (count > peak) return decide(count, "at most half go at once");
  return decide(count, count > needed ? peakWords : null);
}

function asksForLoad({ each }: ScaleRule): boolean {
  return Object.keys(each).length > 0;
}

/** Why less may be seen than there is, in words; null if all is known. */
function unknownOf({ rule, load }: ScaleInput, answers: readonly Answer[]): string | null {
  if (load === null) return asksForLoad(rule) ? "nothing was measured yet" : null;
  const missing = new Set(answers.flatMap((answer) => answer.missing ?? []));
  return missing.size === 0 ? null : `none goes while something is not known: ${[...missing].join(", ")}`;
}

/** What is not known counts as busy, and so does a time in which nobody looked. */
function busyAtOf({ rule, wanted, load, activity, history, atMs }: ScaleInput): number {
  const lookedAtMs = history?.needed.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY;
  // What waits in a queue has nobody at the edge.
  const isIdle = wanted > 0 && waitingOf({ rule, load }) === "nothing" && activity != null && activity.missing === null && !activity.isBusy;
  return isIdle && atMs - lookedAtMs <= longestGapMs ? (history?.busyAtMs ?? atMs) : atMs;
}

/** Rules that somebody put something to be worked off for while they are above nothing, whether or not anybody asks at the edge. */
const queues = ["metric", "command"] as const;

function waitingOf({ rule, load }: Pick<ScaleInput, "rule" | "load">): "something" | "nothing" | "unknown" {
  const figures = queues.flatMap((queue) => (rule.each[queue] === undefined ? [] : [load?.[queue] ?? null]));
  if (figures.some((figure) => figure !== null && figure.missing === null && figure.amount > 0)) return "something";
  return figures.every((figure) => figure !== null && figure.missing === null) ? "nothing" : "unknown";
}

/** The least that people declared for this moment. */
function floorOf({ rule, nowMs, wanted, load, atMs, activity }: ScaleInput, busyAtMs: number): Pick<Answer, "count" | "words"> {
  const open = rule.schedule.filter(({ hours }) => hoursAt(hours, nowMs).isOpen);
  const scheduled = Math.max(0, ...open.map(({ min }) => min));
  if (scheduled > rule.min) return { count: Math.min(scheduled, rule.max), words: `the schedule has ${scheduled} at this hour` };
  if (rule.min > 0) return { count: rule.min, words: `\`min\` is ${rule.min}` };
  const waiting = waitingOf({ rule, load });
  if (wanted === 0 && waiting === "something") return { count: 1, words: "one is started for what waits" };
  if (wanted === 0 && queues.some((queue) => rule.each[queue] !== undefined))
    return { count: 0, words: `nobody asks for it, and ${waiting === "nothing" ? "nothing waits" : "what waits is not known"}` };
  if (wanted === 0) return { count: 0, words: "nobody asks for it; the first request starts one" };
  const idleAfterMs = rule.idleAfterMs ?? Number.POSITIVE_INFINITY;
  const after = Number.isFinite(idleAfterMs) ? ` for ${formatDuration(idleAfterMs)}` : "";
  if (atMs - busyAtMs >= idleAfterMs) return { count: 0, words: `nobody asked for it${after}` };
  if (activity != null && activity.missing !== null) return { count: 1, words: `one stays while it is not known ${activity.missing}` };
  return { count: 1, words: `one stays until nobody asked for it${after}` };
}

function answersOf({ rule: { each, metric }, wanted, load }: ScaleInput): readonly Answer[] {
  if (load === null) return [];
  const answers: Answer[] = [];
  for (const quantity of ["cores", "memoryBytes", "rps", "metric"] as const) {
    const per = each[quantity];
    if (per === undefined) continue;
    const { amount, missing } = load[quantity];
    const name = metric?.metric ?? "the metric";
    const words = quantity === "metric" ? `${name} is ${wordsOf(quantity, amount)}` : wordsOf(quantity, amount);
    const count = countFor(amount / per, wanted);
    // A name that was misspelt is not a queue that is empty.
    if (quantity === "metric" && missing !== null) answers.push({ count, missing, words: `nobody tells ${name}`, isUntold: true });
    else answers.push({ count, missing, words: `${words}, ${wordsOf(quantity, per)} for each instance` });
  }
  if (each.command !== undefined) answers.push(commandAnswer(load.command, each.command, wanted));
  if (each.latencyMs !== undefined) answers.push(latencyAnswer(load.latencyMs, each.latencyMs, wanted));
  return answers;
}

function countFor(exact: number, wanted: number): number {
  return Math.abs(exact / wanted - 1) <= tolerance ? wanted : Math.ceil(exact);
}

/** A number of instances is meant as it was said; what each is to bear of wavers as all figures do. */
function commandAnswer({ amount, missing }: ScaleMeasure, per: number, wanted: number): Answer {
  if (missing !== null) return { count: 0, missing: "what its command says", words: missing, isUntold: true };
  if (per === 1) return { count: Math.ceil(amount), missing, words: `its command asks for ${amount}` };
  const words = `its command says ${amount}, ${wordsOf("command", per)} for each instance`;
  return { count: countFor(amount / per, wanted), missing, words };
}

/** What latency comes of is not known, so it is answered in steps: up by its share, at most doubled, and down by one. */
function latencyAnswer({ amount, missing }: ScaleLoad["latencyMs"], most: number, wanted: number): Answer {
  const words = `95 of 100 requests take up to ${wordsOf("latencyMs", amount)}, ${wordsOf("latencyMs", most)} at most`;
  const share = amount / most;
  if (share > 1 + tolerance) return { count: Math.ceil(wanted * Math.min(2, share)), words, missing };
  return { count: share < quickShare ? wanted - 1 : wanted, words, missing };
}

function wordsOf(quantity: ScaleQuantity, amount: number): string {
  switch (quantity) {
    case "cores":
      return `${amount.toFixed(2)} cores`;
    case "memoryBytes":
      return formatSize(amount);
    case "rps":
      return `${amount.toFixed(1)} requests/s`;
    case "latencyMs":
      return Number.isFinite(amount) ? `${amount} ms` : `more than ${latencyBoundsMs.at(-1)} ms`;
    case "metric":
    case "command":
      return String(Number(amount.toPrecision(4)));
    default:
      return quantity satisfies never;
  }
}
