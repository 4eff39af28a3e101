import { z } from "zod";
import { checksManifest, ladderName } from "./check-schemas.ts";
import { builtInActions } from "./ladder.ts";
import { variableName } from "./name-schemas.ts";
import { duration, share } from "./quantity-schemas.ts";
import type { scopes } from "./target.ts";

/** Ladders as a manifest writes them. Apart from the types, because only the server reads manifests. */

const command = z.string("a command line").min(1, "a command line").max(16_384, "at most 16384 characters");
const builtIn = z.enum(Object.keys(builtInActions) as [keyof typeof builtInActions, ...(keyof typeof builtInActions)[]]);
const environment = z.record(variableName, z.string().max(65_536));

const remedy = z.union(
  [z.enum(["people", "wider"]), builtIn, z.strictObject({ run: command, env: environment.default({}) })],
  "people, wider, a built-in action such as app.rollback, or a command under run",
);

export const levelManifest = z
  .strictObject({
    name: ladderName("level").meta({ description: "What checks ask for." }),
    do: builtIn.optional().meta({ description: "A built-in action." }),
    run: command.optional().meta({ description: "A command line, run by `sh`." }),
    env: environment.default({}).meta({ description: "With run: its environment." }),
    each: z.enum(["app", "machine", "pool"]).optional().meta({ description: "With run: what it acts on. Left out, the space." }),
    quiet: duration.default(60_000).meta({ description: "After each step nothing acts in its scope for so long. Default 1m." }),
    timeout: duration
      .refine((ms) => ms > 0, "more than 0s")
      .default(600_000)
      .meta({ description: "Default 10m." }),
    attempts: z
      .int()
      .min(1)
      .max(20)
      .default(2)
      .meta({ description: "How often it is tried for one trouble, over several runs too. Default 2." }),
    retry: duration
      .default(10_000)
      .meta({ description: "Pause before the second attempt; doubles with each further one, up to 10m. Default 10s." }),
    check: ladderName("check").optional().meta({ description: "The check that has to pass after the quiet period." }),
    // biome-ignore lint/suspicious/noThenProperty: the word of the manifest; its value is a list, which nothing awaits.
    then: z
      .union([remedy.transform((one) => [one]), z.array(remedy).min(1).max(10)])
      .default(["people"])
      .meta({ description: "What comes after the last attempt, in order; in the end people. Default people." }),
    approve: z
      .union([
        z.literal(true).transform(() => ({ within: 3_600_000, otherwise: "people" as const })),
        z.strictObject({ within: duration.default(3_600_000), otherwise: z.enum(["people", "run", "drop"]).default("people") }),
      ])
      .optional()
      .meta({ description: "Waits for a person. `true`: an hour, then people are told." }),
  })
  .superRefine((level, context) => {
    if ((level.do === undefined) === (level.run === undefined))
      context.addIssue({ code: "custom", path: [], message: "exactly one of do and run" });
    if (level.do !== undefined && level.each !== undefined)
      context.addIssue({ code: "custom", path: ["each"], message: "run beside it; a built-in action has its scope" });
  });

const tell = z.union(
  [
    z.strictObject({ webhook: z.url({ protocol: /^https?$/ }), template: z.string().max(65_536).optional() }),
    z.strictObject({ email: z.email() }),
    z.strictObject({ run: command }),
  ],
  "a webhook, an email or a command under run",
);

const mail = z
  .strictObject({
    host: z.string("a host").min(1, "a host").max(253, "a host").meta({ description: "The server that takes e-mail." }),
    port: z.int().min(1, "a port from 1 to 65535").max(65_535, "a port from 1 to 65535").default(587).meta({ description: "Default 587." }),
    tls: z.enum(["starttls", "implicit", "off"]).optional().meta({
      description: "When encryption begins. Default starttls, and implicit at port 465. Without it nothing is sent, unless it is off.",
    }),
    ca: z
      .string()
      .max(65_536)
      .regex(/-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/, "the PEM text itself, with its line BEGIN CERTIFICATE")
      .optional()
      .meta({ description: "Trusted in place of the machine's authorities, PEM." }),
    user: z.string().min(1).max(320).optional(),
    password: variableName.optional().meta({ description: "Name of the space's secret that is the user's password." }),
    from: z.email("an address such as drover@example.com").meta({ description: "Who it is from." }),
  })
  .superRefine(({ user, password, tls }, context) => {
    if ((user === undefined) !== (password === undefined))
      context.addIssue({ code: "custom", path: [user === undefined ? "password" : "user"], message: "user and password, or neither" });
    if (tls === "off" && user !== undefined)
      context.addIssue({ code: "custom", path: ["tls"], message: "starttls or implicit: a password is not sent in the clear" });
  });

export const ladderManifest = z
  .strictObject({
    ladder: ladderName("ladder").meta({ description: "The ladder's name. A space has one." }),
    settle: duration.default(30_000).meta({ description: "How long results come in before anything acts. Default 30s." }),
    soon: duration
      .default(900_000)
      .meta({ description: "The same check failing again within this of a run's end counts as the same trouble. Default 15m." }),
    levels: z.array(levelManifest).min(1, "at least one level").max(50).meta({ description: "Most fundamental first." }),
    checks: checksManifest.default({}).meta({ description: "Promises that are tested from outside." }),
    guard: z
      .strictObject({
        actions_per_hour: z.int().min(1).max(100_000).default(30).meta({ description: "Steps that may start within an hour. Default 30." }),
        at_once: share
          .refine((value) => value > 0, "more than 0%")
          .default(0.25)
          .meta({ description: "Share of a pool's machines acted on at once, at least one. Default 25%." }),
        suspect_monitor: share
          .default(0.8)
          .meta({ description: "Share of checks that fail at one probe alone, from which it is not believed. Default 80%." }),
        mass_failure: z
          .strictObject({ share: share.default(0.2), count: z.int().min(0).max(100_000).default(5), within: duration.default(600_000) })
          .prefault({})
          .meta({ description: "More machines than both failing within this hold the levels of machines. Default 20%, 5, 10m." }),
      })
      .prefault({}),
    tell: z.array(tell).max(20).default([]).meta({ description: "How people are told." }),
    mail: mail.optional().meta({ description: "Who takes e-mail, for `email` under tell." }),
  })
  .superRefine(({ tell: tells, mail: server }, context) => {
    if (server !== undefined) return;
    for (const [i, one] of tells.entries())
      if ("email" in one)
        context.addIssue({ code: "custom", path: ["tell", i, "email"], message: "a server that takes it, under `mail` of the ladder" });
  });
export type LadderManifest = z.output<typeof ladderManifest>;
export type LevelManifest = LadderManifest["levels"][number];

/** An app's short form: what to try, in this order; the end is always people. */
export const escalateManifest = z
  .array(z.enum(["restart", "redeploy", "rollback", "tell"]))
  .min(1, "at least one of restart, redeploy, rollback and tell")
  .max(4)
  .refine((steps) => new Set(steps).size === steps.length, "each once")
  .refine((steps) => !steps.includes("tell") || steps.at(-1) === "tell", "tell as the last");

export type EscalateManifest = z.output<typeof escalateManifest>;

/** The scope that a level acts on. */
export function scopeOfLevel({ do: action, each }: Pick<LevelManifest, "do" | "each">): (typeof scopes)[number] {
  return action === undefined ? (each ?? "space") : builtInActions[action];
}
