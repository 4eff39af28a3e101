import type { App } from "#model/app.ts";
import type { AppManifest } from "#model/manifest.ts";
import { measurementOf } from "#model/measurement.ts";
import type { ProcessName } from "#model/names.ts";
import type { ScaleCommand, ScaleRule } from "#model/scale.ts";
import type { ScaleCommandManifest } from "#model/scale-schemas.ts";
import { hoursOf } from "#plan/checks/expected-hours.ts";
import { declaredProcesses, type ProcessInput } from "./release-spec.ts";

/** Long enough for somebody who reads, and goes on. */
const usualIdleMs = 900_000;
/** That of checks. */
const usualTimeoutMs = 10_000;

/** The rules of a manifest, by process: shares are of what an instance reserves, and of one core where it reserves none. */
export function scaleRules(manifest: AppManifest): NonNullable<App["scale"]> {
  const rules: Record<ProcessName, ScaleRule> = {};
  for (const [process, input] of Object.entries(declaredProcesses(manifest)) as [ProcessName, ProcessInput][]) {
    if (input.scale === undefined) continue;
    const { min, max, on, schedule, down_after, idle_after = usualIdleMs } = input.scale;
    const { cpu, memory, rps, latency, metric, command } = on;
    rules[process] = {
      min,
      max,
      each: {
        ...(cpu === undefined ? {} : { cores: cpu * (input.resources?.cpu ?? 1) }),
        ...(memory === undefined ? {} : { memoryBytes: memory * (input.resources?.memory ?? 0) }),
        ...(rps === undefined ? {} : { rps }),
        ...(latency === undefined ? {} : { latencyMs: latency }),
        ...(metric === undefined ? {} : { metric: metric.each }),
        ...(command === undefined ? {} : { command: command.each }),
      },
      ...(metric === undefined ? {} : { metric: measurementOf(metric) }),
      ...(command === undefined ? {} : { command: commandOf(command) }),
      schedule: schedule.map(({ min: least, ...hours }) => ({ hours: hoursOf(hours), min: least })),
      downAfterMs: down_after,
      ...(min === 0 ? { idleAfterMs: idle_after } : {}),
    };
  }
  return rules;
}

function commandOf({ run, env, every, timeout = Math.min(every, usualTimeoutMs) }: ScaleCommandManifest): ScaleCommand {
  return { run, env, everyMs: every, timeoutMs: timeout };
}
