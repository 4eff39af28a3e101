import { z } from "zod";
import { appName } from "./name-schemas.ts";

/** The part of the HTTP API that is about checks, ladders and escalations. */

const target = z
  .string()
  .regex(/^(space|(pool|machine|app)\/[A-Za-z0-9._-]{1,64})$/, "space, app/NAME, machine/NAME or pool/NAME")
  .meta({ description: "`space`, `app/NAME`, `machine/NAME` or `pool/NAME`." });

const performance = z.string().optional().meta({ description: "Performance data, as a Nagios plugin wrote it." });
const probeView = z.object({ atMs: z.number(), isOk: z.boolean(), failures: z.int(), message: z.string(), performance });

export const checkView = z
  .object({
    id: z.string().meta({ description: "Its name and its target: `smoke@space`." }),
    name: z.string(),
    target: z.string(),
    kind: z.string(),
    level: z.string().nullable().meta({ description: "The level that it asks for; null: watched only." }),
    verdict: z.enum(["unknown", "ok", "failing"]),
    sinceMs: z.number(),
    atMs: z.number().meta({ description: "Of its newest result." }),
    message: z.string(),
    isFlapping: z.boolean(),
    isSilent: z.boolean().meta({ description: "Outside of its expected hours, or in maintenance: it asks for nothing." }),
    impossible: z.string().nullable().meta({ description: "Why it cannot be made; null when it can." }),
    everyMs: z.int(),
    timeoutMs: z.int(),
    failures: z.int(),
    from: z.array(z.string()),
    probes: z.record(z.string(), probeView),
  })
  .meta({ id: "Check" });

export const checkChange = z
  .object({
    check: z.string(),
    atMs: z.number(),
    from: z.enum(["unknown", "ok", "failing"]),
    to: z.enum(["unknown", "ok", "failing"]),
    message: z.string(),
    probes: z.record(z.string(), probeView),
  })
  .meta({ id: "CheckChange" });

const foundBy = z.object({ isOk: z.boolean(), message: z.string(), performance });
export const finding = z
  .object({
    isOk: z.boolean().meta({ description: "By majority of those who made it." }),
    message: z.string(),
    probes: z.record(z.string(), foundBy).meta({ description: "What each found: `server`, a machine, or `edge@` and a machine." }),
    unable: z
      .record(z.string(), z.string())
      .meta({ description: "Who could not make it, and why: that says nothing about what is checked." }),
  })
  .meta({ id: "Finding" });

const action = z.union([
  z.object({ kind: z.literal("built-in"), name: z.string() }),
  z.object({ kind: z.literal("command"), run: z.string(), env: z.record(z.string(), z.string()) }),
]);

const step = z.object({
  id: z.string(),
  level: z.string(),
  target: z.string(),
  attempt: z.int(),
  action: action.nullable(),
  startedAtMs: z.number(),
  interruptions: z.int(),
  ended: z
    .object({
      atMs: z.number(),
      result: z.enum(["ok", "failed", "timed-out", "killed"]),
      exitCode: z.int().nullable(),
      output: z.string(),
    })
    .nullable(),
  verdict: z.object({ atMs: z.number(), kind: z.enum(["passed", "failed", "mended", "skipped"]), reason: z.string() }).nullable(),
});

export const escalationView = z
  .object({
    id: z.string(),
    target: z.string(),
    state: z.enum(["settling", "running", "waiting", "needs-human", "ended"]),
    openedAtMs: z.number(),
    settleUntilMs: z.number(),
    isDryRun: z.boolean(),
    begunAtMs: z.number().nullable(),
    level: z.string().nullable(),
    at: z.string().nullable(),
    failed: z.array(z.object({ check: z.string(), target: z.string(), level: z.string(), sinceMs: z.number(), message: z.string() })),
    approvals: z.array(
      z.object({
        level: z.string(),
        askedAtMs: z.number(),
        expiresAtMs: z.number(),
        decision: z.object({ isApproved: z.boolean(), by: z.string(), atMs: z.number() }).nullable(),
      }),
    ),
    steps: z.array(step),
    stop: z.object({ by: z.string(), atMs: z.number() }).nullable(),
    outcome: z
      .object({
        kind: z.string(),
        atMs: z.number(),
        reason: z.string(),
        acknowledged: z.object({ by: z.string(), atMs: z.number() }).nullable(),
      })
      .nullable(),
    waitingFor: z.string().nullable().meta({ description: "In words; null when it waits for nothing." }),
    revision: z.int(),
  })
  .meta({ id: "Escalation" });

export const pauseView = z.object({ target: z.string(), by: z.string(), sinceMs: z.number(), untilMs: z.number() }).meta({ id: "Pause" });

export const ladderView = z
  .object({
    name: z.string(),
    isDeclared: z.boolean().meta({ description: "False: the default, for a space that declares none." }),
    isDryRun: z.boolean(),
    settleMs: z.int(),
    levels: z.array(
      z.object({
        name: z.string(),
        scope: z.string(),
        action,
        attempts: z.int(),
        // biome-ignore lint/suspicious/noThenProperty: the word of the manifest; nothing awaits it.
        then: z.array(z.string()),
        quietMs: z.int(),
        timeoutMs: z.int(),
        check: z.string().nullable(),
        approve: z.boolean(),
        askedBy: z.array(z.string()),
      }),
    ),
    guards: z.object({
      actionsPerHour: z.int(),
      atOnce: z.number(),
      suspectMonitor: z.number(),
      massFailure: z.object({ share: z.number(), count: z.int(), withinMs: z.int() }),
    }),
    pauses: z.array(pauseView),
    notices: z.array(z.object({ key: z.string(), sinceMs: z.number(), text: z.string() })),
    waiting: z.array(z.object({ target: z.string(), reason: z.string() })),
  })
  .meta({ id: "Ladder" });

export const playedLine = z.object({ atMs: z.number(), kind: z.string(), target: z.string(), text: z.string() });
export const simulateRequest = z.strictObject({
  fail: z.array(z.string().max(200)).min(1).max(1_000).meta({ description: "Checks that fail: `node-ping@m1` or `smoke`." }),
  forMs: z
    .int()
    .min(1_000)
    .max(7 * 86_400_000)
    .default(3_600_000),
  isMending: z.boolean().default(true).meta({ description: "Whether an action mends the checks that ask for its level." }),
});
export const simulation = z
  .object({ fromMs: z.number(), lines: z.array(playedLine), outcomes: z.array(z.object({ target: z.string(), outcome: z.string() })) })
  .meta({ id: "Simulation" });

export const explanation = z
  .object({
    check: z.string(),
    verdict: z.string(),
    level: z.string().nullable(),
    lines: z.array(z.string()).meta({ description: "What would happen if it failed now, in order." }),
  })
  .meta({ id: "Explanation" });

export const pauseRequest = z.strictObject({
  target: target.default("space"),
  forMs: z
    .int()
    .min(1_000)
    .max(30 * 86_400_000)
    .default(3_600_000)
    .meta({ description: "It ends by itself. Default an hour." }),
  by: z.string().max(100).optional(),
});
export const resumeRequest = z.strictObject({ target: target.default("space") });
export const dryRunRequest = z.strictObject({ isDryRun: z.boolean() });
export const decisionRequest = z.strictObject({
  isApproved: z.boolean().default(true),
  by: z.string().min(1).max(100).optional().meta({ description: "Who decides, as the record shows it. Default: the token's id." }),
});
export const byRequest = z.strictObject({ by: z.string().min(1).max(100).optional() });
export const explainQuery = z.strictObject({ app: appName.optional(), check: z.string().max(200).optional() });

export type CheckView = z.output<typeof checkView>;
export type CheckChangeView = z.output<typeof checkChange>;
export type FindingView = z.output<typeof finding>;
export type EscalationView = z.output<typeof escalationView>;
export type LadderView = z.output<typeof ladderView>;
export type Simulation = z.output<typeof simulation>;
export type Explanation = z.output<typeof explanation>;
