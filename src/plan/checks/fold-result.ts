import type { Check, CheckChange, CheckResult, CheckState, CheckVerdict, ProbeView } from "#model/check.ts";
import type { CheckId } from "#model/names.ts";
import { freshMsOf } from "./fresh.ts";

/** So many changes of verdict within so long is no state any more but a flutter, which people should know about. */
const flappingChanges = 6;
const flappingWithinMs = 30 * 60_000;

/** What is known of a check before its first result. */
export function unknownState(id: CheckId, nowMs: number): CheckState {
  return {
    id,
    verdict: "unknown",
    sinceMs: nowMs,
    atMs: nowMs,
    isPassing: false,
    probes: {},
    changesAtMs: [],
    isFlapping: false,
    message: "no result yet",
  };
}

/**
 * One more result of a check, laid over what is known of it. A probe says failing after the check's number of failures in a row. Where several
 * probes make the check, those with fresh results decide by majority; in a tie the check does not fail, because nobody confirms it.
 * A result older than the newest one of its probe changes nothing.
 * @param isIgnored probes that are not believed at present.
 */
export function foldResult(
  state: CheckState,
  check: Check,
  result: CheckResult,
  isIgnored: (probe: string) => boolean = () => false,
): { readonly state: CheckState; readonly change: CheckChange | null } {
  const before = state.probes[result.probe];
  if (before !== undefined && result.atMs < before.atMs) return { state, change: null };
  const view: ProbeView = {
    atMs: result.atMs,
    isOk: result.isOk,
    failures: result.isOk ? 0 : (before?.failures ?? 0) + 1,
    message: result.message,
    ...(result.performance === undefined ? {} : { performance: result.performance }),
  };
  const newestMs = Math.max(state.verdict === "unknown" ? 0 : state.atMs, result.atMs);
  const fresh = newestMs - freshMsOf(check);
  const probes = Object.fromEntries(Object.entries({ ...state.probes, [result.probe]: view }).filter(([, { atMs }]) => atMs > fresh));
  const heard = Object.entries(probes).filter(([probe]) => !isIgnored(probe));
  const verdict = judge(
    state.verdict,
    check,
    heard.map(([, one]) => one),
  );
  const isPassing = heard.length > 0 && heard.filter(([, { isOk }]) => isOk).length * 2 >= heard.length;
  const speaks = [view, ...heard.map(([, one]) => one)].find(({ isOk }) => isOk === (verdict !== "failing")) ?? view;
  const isChanged = verdict !== state.verdict;
  const recent = state.changesAtMs.filter((atMs) => atMs > result.atMs - flappingWithinMs);
  const changesAtMs = isChanged && state.verdict !== "unknown" ? [...recent, result.atMs] : recent;
  const next: CheckState = {
    id: state.id,
    verdict,
    sinceMs: isChanged ? result.atMs : state.sinceMs,
    atMs: newestMs,
    isPassing,
    probes,
    changesAtMs: changesAtMs.slice(-flappingChanges),
    isFlapping: changesAtMs.length >= flappingChanges,
    message: speaks.message,
  };
  if (!isChanged) return { state: next, change: null };
  return { state: next, change: { check: state.id, atMs: result.atMs, from: state.verdict, to: verdict, probes, message: speaks.message } };
}

/** Failing when more than half say so. Back only when half or more pass: in between, what was goes on. */
function judge(before: CheckVerdict, { failures }: Check, views: readonly ProbeView[]): CheckVerdict {
  if (views.length === 0) return before;
  const failing = views.filter((one) => one.failures >= failures).length;
  if (failing * 2 > views.length) return "failing";
  const passing = views.filter(({ isOk }) => isOk).length;
  return passing * 2 >= views.length ? "ok" : before;
}
