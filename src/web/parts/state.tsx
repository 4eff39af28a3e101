import type { AppSummary, InstanceView } from "#model/api.ts";
import type { MachineView } from "#model/api-machines.ts";
import type { Severity } from "#model/conditions.ts";

type Tone = "good" | "busy" | "warn" | "bad" | "off";

/** Words with a sign and a colour; the word alone says it all. */
export function State({ tone, word, title }: { readonly tone: Tone; readonly word: string; readonly title?: string }) {
  return (
    <span class={`state ${tone}`} title={title}>
      <span aria-hidden="true">{signs[tone]}</span>
      {word}
    </span>
  );
}

const signs: Readonly<Record<Tone, string>> = { good: "●", busy: "◐", warn: "▲", bad: "✕", off: "○" };

export const severityTones: Readonly<Record<Severity, Tone>> = { error: "bad", warning: "warn", info: "off" };

type Health = AppSummary["health"];

const healthTones: Readonly<Record<Health, Tone>> = {
  ready: "good",
  deploying: "busy",
  starting: "busy",
  degraded: "warn",
  down: "bad",
  stopped: "off",
  destroying: "off",
};

/** The worst first: what a person has to look at is at the top. */
export const healthOrder: readonly Health[] = ["down", "degraded", "deploying", "starting", "destroying", "stopped", "ready"];

export function HealthState({ health }: { readonly health: Health }) {
  return <State tone={healthTones[health]} word={health} />;
}

export function InstanceState({ instance }: { readonly instance: InstanceView }) {
  const { state, ready, reason } = instance;
  if (state === "running")
    return ready ? <State tone="good" word="ready" /> : <State tone="warn" word="not ready" title={reason?.message ?? ""} />;
  if (state === "backoff") return <State tone="bad" word="backoff" title={reason?.message ?? ""} />;
  return <State tone={state === "starting" ? "busy" : "off"} word={state} />;
}

type Verdict = "unknown" | "ok" | "failing";

export function VerdictState({ verdict, isSilent }: { readonly verdict: Verdict; readonly isSilent?: boolean }) {
  if (isSilent === true) return <State tone="off" word={`${verdict}, silent`} />;
  return <State tone={verdict === "ok" ? "good" : verdict === "failing" ? "bad" : "off"} word={verdict} />;
}

const runTones = { settling: "busy", running: "busy", waiting: "warn", "needs-human": "bad", ended: "off" } as const;

export function RunState({ state }: { readonly state: keyof typeof runTones }) {
  return <State tone={runTones[state]} word={state === "needs-human" ? "needs a person" : state} />;
}

export function MachineState({ machine }: { readonly machine: MachineView }) {
  const { linked, draining, cordoned, instances } = machine;
  if (!linked) return <State tone="bad" word="does not answer" />;
  if (draining) return instances === 0 ? <State tone="off" word="drained" /> : <State tone="busy" word="draining" />;
  return cordoned ? <State tone="warn" word="cordoned" /> : <State tone="good" word="linked" />;
}
