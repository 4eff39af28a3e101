import { z } from "zod";
import { type ScalingView, scaleTimeline, scaleTrace, scalingView } from "#model/api-scaling.ts";
import { DroverError } from "#model/errors.ts";
import type { AppName, ProcessName, SpaceName } from "#model/names.ts";
import type { ScaleQuantity, ScaleRule } from "#model/scale.ts";
import { simulateAutoscale, type TracePoint } from "#plan/autoscale/simulate-autoscale.ts";
import { requireApp } from "../../operations/app-operations.ts";
import { json, type Route, route } from "../route.ts";
import type { Services } from "../services.ts";

const path = "/v1/spaces/:space/apps/:app/scale";

/** Processes whose number of instances follows their load: how that goes, and how it would. */
export function scalingRoutes(services: Services): readonly Route[] {
  const appOf = ({ params }: { readonly params: Readonly<Record<string, string>> }) =>
    requireApp(services, params["space"] as SpaceName, params["app"] as AppName).value;
  return [
    route({
      method: "GET",
      path,
      id: "getScaling",
      summary: "How the processes that follow their load are scaled, and why.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ processes: z.array(scalingView) }) },
      handle: async (call) => {
        const app = appOf(call);
        const processes = Object.entries(app.scale ?? {}).map(([process, rule]): ScalingView => {
          const scaling = services.controlPlane.scaling(app.space, app.name, process as ProcessName);
          return {
            process,
            min: rule.min,
            max: rule.max,
            each: rule.each,
            wanted: app.instances[process as ProcessName] ?? 1,
            needed: scaling?.decision.needed ?? null,
            because: scaling?.decision.because ?? null,
            held: scaling?.decision.held ?? null,
            lookedAtMs: scaling?.lookedAtMs ?? null,
          };
        });
        return { json: { processes } };
      },
    }),
    route({
      method: "POST",
      path: `${path}/simulate`,
      id: "simulateScaling",
      summary: "What the rule of a process would do under a load that is given; changes nothing.",
      access: { right: "read", of: "space" },
      body: json(scaleTrace),
      answer: { kind: "json", schema: scaleTimeline },
      handle: async (call, _query, { process, start, points }) => {
        const app = appOf(call);
        const rule = ruleOf(app.scale, process);
        if (rule === undefined)
          throw new DroverError("PROCESS_NOT_FOUND", `app "${app.name}" has no process "${process}" that is scaled by rules`, {
            hint: "Declare its `scale` and apply the manifest first.",
          });
        requireAmounts(rule, points[0]);
        const timeline = simulateAutoscale(rule, start ?? app.instances[process as ProcessName] ?? rule.min, points);
        return { json: { ...timeline, changes: [...timeline.changes] } };
      },
    }),
  ];
}

function ruleOf(rules: Readonly<Record<string, ScaleRule>> = {}, process: string): ScaleRule | undefined {
  return Object.hasOwn(rules, process) ? rules[process] : undefined;
}

/** A rule that asks for what no point has would see no load at all, and nobody would notice. */
function requireAmounts({ each, min }: ScaleRule, point: TracePoint | undefined): void {
  const missing = [...Object.keys(each), ...(min === 0 && each.rps === undefined ? ["rps"] : [])].filter(
    (name) => point?.[name as ScaleQuantity] === undefined,
  );
  if (missing.length === 0) return;
  throw new DroverError("REQUEST_INVALID", `the trace does not say ${missing.join(" and ")}, by which the process is scaled`, {
    hint: `Give every point ${missing.map((name) => `\`${name}\``).join(" and ")}.`,
  });
}
