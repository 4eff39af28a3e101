import { z } from "zod";
import {
  byRequest,
  checkChange,
  checkView,
  decisionRequest,
  dryRunRequest,
  escalationView,
  explainQuery,
  explanation,
  finding,
  ladderView,
  pauseRequest,
  resumeRequest,
  simulateRequest,
  simulation,
} from "#model/api-escalations.ts";
import type { Check } from "#model/check.ts";
import { DroverError } from "#model/errors.ts";
import type { AppName, CheckId, EscalationId, SpaceName } from "#model/names.ts";
import { nameOf, scopeOf, type Target } from "#model/target.ts";
import { silentChecks } from "#plan/checks/expected-hours.ts";
import { explainCheck } from "#plan/ladder/explain.ts";
import type { LadderInput } from "#plan/ladder/input.ts";
import { simulateLadder } from "#plan/ladder/simulate.ts";
import type { Escalator } from "../../escalator/escalator.ts";
import { findChecks } from "../../escalator/find-checks.ts";
import { reportOf } from "../../escalator/report.ts";
import type { SpaceScene } from "../../escalator/space-scene.ts";
import { viewChecks, viewEscalation, viewLadder } from "../../escalator/view.ts";
import { ladderObjects } from "../../objects/ladder-objects.ts";
import { objects } from "../../objects/objects.ts";
import {
  acknowledgeEscalation,
  acknowledgeMassFailure,
  approveEscalation,
  type Hand,
  pauseTarget,
  requireEscalation,
  resumeTarget,
  setDryRun,
  stopEscalation,
} from "../../operations/escalation-operations.ts";
import { requireSpace } from "../../operations/space-operations.ts";
import { wholeNumber } from "../query.ts";
import { type Call, json, type Route, route, type SentEvent } from "../route.ts";
import type { Services } from "../services.ts";
import { acknowledgeRoutes } from "./acknowledge.ts";

const base = "/v1/spaces/:space";
const one = `${base}/escalations/:id`;
/** Targets of one check that are looked at by one request: a connection or a process each. */
const mostAtOnce = 100;
const changedRun = z.object({ id: z.string(), revision: z.int() });

/** Checks, ladders and escalations of a space. */
export function escalationRoutes(services: Services): readonly Route[] {
  return [...checkRoutes(services), ...ladderRoutes(services), ...runRoutes(services), ...acknowledgeRoutes(services)];
}

interface Place {
  readonly space: SpaceName;
  readonly escalator: Escalator;
}

async function placeOf(services: Services, { params }: Call): Promise<Place> {
  const space = params["space"] as SpaceName;
  requireSpace(services, space);
  return { space, escalator: await services.controlPlane.escalator() };
}

function handOf({ caller: { name } }: Call, by: string | undefined, { escalator }: Place): Hand {
  // Who holds the token may say for whom it acts; the record then has both.
  return { by: by === undefined ? name : `${by} (${name})`, nowMs: escalator.nowMs() };
}

/** @throws {DroverError} CHECK_NOT_FOUND when nothing of the space is checked */
function sceneOf({ space, escalator }: Place): SpaceScene {
  const scene = escalator.sceneOf(space);
  if (scene !== null) return scene;
  throw new DroverError("CHECK_NOT_FOUND", `nothing of space "${space}" is checked`, {
    hint: "Declare `checks` in an app, or a `ladder` for the space, and apply it.",
  });
}

const missing = { app: "APP_NOT_FOUND", machine: "MACHINE_NOT_FOUND", pool: "POOL_NOT_FOUND" } as const;

/** A pause of what is not there would hold nothing, while whoever made it believes that it does. @throws {DroverError} APP_NOT_FOUND, … */
function requireTarget({ store }: Services, { space, escalator }: Place, target: Target): void {
  const scope = scopeOf(target);
  if (scope === "space") return;
  // An app that is stopped is left out of escalations, and may be paused for when it starts.
  const isThere =
    escalator.sceneOf(space)?.index.places.of.has(target) === true ||
    (scope === "app" && objects.app(store, space, nameOf(target) as AppName) !== null);
  if (isThere) return;
  throw new DroverError(missing[scope], `space "${space}" has no ${scope} "${nameOf(target)}"`, {
    hint: "`drover check ls` shows the targets that there are.",
  });
}

function inputOf({ space, escalator }: Place): LadderInput {
  const input = escalator.controller.inputOf(space);
  if (input === null) throw new Error("a space with a scene has an input");
  return input;
}

/** What is silent at times that never go back: it is worked out anew only when it changes. */
function silentFrom(checks: readonly Check[]): (nowMs: number) => LadderInput["silent"] {
  let silent: LadderInput["silent"] = { checks: new Set(), untilMs: 0 };
  return (nowMs) => {
    if (silent.untilMs !== null && nowMs >= silent.untilMs) silent = silentChecks(checks, nowMs);
    return silent;
  };
}

function checkRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: `${base}/checks`,
      id: "listChecks",
      summary: "All checks of a space, each at each of its targets, and how they are.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ checks: z.array(checkView) }) },
      handle: async (call) => {
        const place = await placeOf(services, call);
        return { json: { checks: viewChecks(place.escalator, place.space, place.escalator.nowMs()) } };
      },
    }),
    route({
      method: "GET",
      path: `${base}/check-history`,
      id: "listCheckChanges",
      summary: "When checks began and ceased to fail, with what was found: the latest that match, oldest first.",
      access: { right: "read", of: "space" },
      query: z.strictObject({ check: z.string().max(200).optional(), limit: wholeNumber(1_000).default(100) }),
      answer: { kind: "json", schema: z.object({ changes: z.array(checkChange) }) },
      handle: async (call, { check, limit }) => {
        const { space, escalator } = await placeOf(services, call);
        return { json: { changes: escalator.records.history(space, (check ?? null) as CheckId | null, limit) } };
      },
    }),
    route({
      method: "POST",
      path: `${base}/checks/:check/run`,
      id: "runCheck",
      summary: "Makes a check once now, from everywhere that it is made from. What it finds is answered and changes nothing.",
      access: { right: "deploy", of: "space" },
      answer: { kind: "json", schema: z.object({ findings: z.record(z.string(), finding) }) },
      handle: async (call) => {
        const place = await placeOf(services, call);
        const found = findChecks(sceneOf(place).index, call.params["check"] ?? "");
        const made = await Promise.all(
          found.slice(0, mostAtOnce).map(async (check) => [check.id, await place.escalator.once(place.space, check, call.signal)] as const),
        );
        return { json: { findings: Object.fromEntries(made) } };
      },
    }),
    route({
      method: "POST",
      path: `${base}/checks/:check/heartbeat`,
      id: "beat",
      summary: "Calls in for a heartbeat check.",
      access: { right: "deploy", of: "space" },
      answer: { kind: "json", schema: z.object({ check: z.string() }) },
      handle: async (call) => {
        const place = await placeOf(services, call);
        const found = findChecks(sceneOf(place).index, call.params["check"] ?? "").filter(({ id }) =>
          place.escalator.beat(place.space, id),
        );
        const [first] = found;
        if (first === undefined)
          throw new DroverError("CHECK_NOT_FOUND", `"${call.params["check"]}" is no heartbeat`, {
            hint: "List them with `drover check ls`.",
          });
        return { json: { check: first.id } };
      },
    }),
  ];
}

function ladderRoutes(services: Services): readonly Route[] {
  return [
    route({
      method: "GET",
      path: `${base}/ladder`,
      id: "getLadder",
      summary: "The ladder that is in force, what is paused, and what it waits for; null when nothing of the space is checked.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ ladder: ladderView.nullable() }) },
      handle: async (call) => {
        const { space, escalator } = await placeOf(services, call);
        return { json: { ladder: viewLadder(escalator, services.store, space) } };
      },
    }),
    route({
      method: "GET",
      path: `${base}/explain`,
      id: "explainChecks",
      summary: "What would happen if a check failed now: those of an app, the one that is named, or all.",
      access: { right: "read", of: "space" },
      query: explainQuery,
      answer: { kind: "json", schema: z.object({ explanations: z.array(explanation) }) },
      handle: async (call, { app, check }) => {
        const place = await placeOf(services, call);
        const scene = sceneOf(place);
        const input = inputOf(place);
        const wanted = check === undefined ? [...scene.index.checks.values()] : findChecks(scene.index, check);
        const own = wanted.filter(({ target }) => app === undefined || target === `app/${app}`).slice(0, 50);
        return {
          json: { explanations: own.map((each) => explainCheck(input, each, { silentAt: silentFrom(scene.index.ladder.checks) })) },
        };
      },
    }),
    route({
      method: "POST",
      path: `${base}/simulate`,
      id: "simulateLadder",
      summary: "Plays the ladder on a virtual clock with some checks failing; nothing is done.",
      access: { right: "read", of: "space" },
      body: json(simulateRequest),
      answer: { kind: "json", schema: simulation },
      handle: async (call, _query, body) => {
        const place = await placeOf(services, call);
        const { index } = sceneOf(place);
        const fail = body.fail.flatMap((name) => findChecks(index, name)).map(({ id }) => id);
        const silentAt = silentFrom(index.ladder.checks);
        const { fromMs, lines, outcomes } = simulateLadder(inputOf(place), { ...body, fail, silentAt });
        const views = {
          lines: lines.map(({ atMs, kind, target, text }) => ({ atMs, kind, target, text })),
          outcomes: outcomes.map(({ target, outcome }) => ({ target, outcome })),
        };
        return { json: { fromMs, ...views } };
      },
    }),
    route({
      method: "POST",
      path: `${base}/pause`,
      id: "pauseLadder",
      summary: "Nothing acts in the target until the pause ends, which it does by itself.",
      access: { right: "mend", of: "space" },
      body: json(pauseRequest),
      answer: { kind: "json", schema: z.object({ target: z.string(), untilMs: z.number(), revision: z.int() }) },
      handle: async (call, _query, { target, forMs, by }) => {
        const place = await placeOf(services, call);
        requireTarget(services, place, target as Target);
        return { json: await pauseTarget(services, place.space, target as Target, forMs, handOf(call, by, place)) };
      },
    }),
    route({
      method: "POST",
      path: `${base}/resume`,
      id: "resumeLadder",
      summary: "Ends a pause before its time.",
      access: { right: "mend", of: "space" },
      body: json(resumeRequest.extend(byRequest.shape)),
      answer: { kind: "json", schema: z.object({ target: z.string(), revision: z.int() }) },
      handle: async (call, _query, { target, by }) => {
        const place = await placeOf(services, call);
        return { json: await resumeTarget(services, place.space, target as Target, handOf(call, by, place)) };
      },
    }),
    route({
      method: "POST",
      path: `${base}/dry-run`,
      id: "setDryRun",
      summary: "In a dry run the same is decided and recorded, and nothing is done.",
      access: { right: "mend", of: "space" },
      body: json(dryRunRequest),
      answer: { kind: "json", schema: z.object({ isDryRun: z.boolean(), revision: z.int() }) },
      handle: async (call, _query, { isDryRun }) => {
        const place = await placeOf(services, call);
        return { json: await setDryRun(services, place.space, isDryRun, handOf(call, undefined, place)) };
      },
    }),
    route({
      method: "POST",
      path: `${base}/mass-failure/acknowledge`,
      id: "acknowledgeMassFailure",
      summary: "People have seen that many machines failed: what failed until now holds nothing back any more.",
      access: { right: "mend", of: "space" },
      body: json(byRequest),
      answer: { kind: "json", schema: z.object({ acknowledgedAtMs: z.number(), revision: z.int() }) },
      handle: async (call, _query, { by }) => {
        const place = await placeOf(services, call);
        return { json: await acknowledgeMassFailure(services, place.space, handOf(call, by, place)) };
      },
    }),
  ];
}

function runRoutes(services: Services): readonly Route[] {
  const { store } = services;
  return [
    route({
      method: "GET",
      path: `${base}/escalations`,
      id: "listEscalations",
      summary: "Escalations of a space, the newest first.",
      access: { right: "read", of: "space" },
      query: z.strictObject({ limit: wholeNumber(500).default(50) }),
      answer: { kind: "json", schema: z.object({ escalations: z.array(escalationView) }) },
      handle: async (call, { limit }) => {
        const { space, escalator } = await placeOf(services, call);
        const newest = ladderObjects.escalations(store, space).toSorted((a, b) => b.value.openedAtMs - a.value.openedAtMs);
        return { json: { escalations: newest.slice(0, limit).map((run) => viewEscalation(escalator, space, run)) } };
      },
    }),
    route({
      method: "GET",
      path: `${base}/escalations-watch`,
      id: "watchEscalations",
      summary: "Each escalation as it changes, from now on.",
      access: { right: "read", of: "space" },
      answer: { kind: "events", schema: escalationView },
      handle: async (call) => ({ events: changedRuns(services, await placeOf(services, call), call.signal) }),
    }),
    route({
      method: "GET",
      path: one,
      id: "getEscalation",
      summary: "One escalation: what failed, the level and why, every step with its output and times, and how it ended.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: escalationView },
      handle: async (call) => {
        const { space, escalator } = await placeOf(services, call);
        return { json: viewEscalation(escalator, space, requireEscalation(services, space, call.params["id"] ?? "")) };
      },
    }),
    route({
      method: "GET",
      path: `${one}/report`,
      id: "getEscalationReport",
      summary: "The same for people to read afterwards, in Markdown.",
      access: { right: "read", of: "space" },
      answer: { kind: "json", schema: z.object({ markdown: z.string() }) },
      handle: async (call) => {
        const { space, escalator } = await placeOf(services, call);
        const run = viewEscalation(escalator, space, requireEscalation(services, space, call.params["id"] ?? ""));
        return { json: { markdown: reportOf(run, space) } };
      },
    }),
    route({
      method: "POST",
      path: `${one}/approve`,
      id: "approveEscalation",
      summary: "Approves, or refuses, the level that an escalation waits at.",
      access: { right: "mend", of: "space" },
      body: json(decisionRequest),
      answer: { kind: "json", schema: changedRun },
      handle: async (call, _query, { isApproved, by }) => {
        const place = await placeOf(services, call);
        return {
          json: await approveEscalation(services, place.space, call.params["id"] ?? "", isApproved, handOf(call, by, place)),
        };
      },
    }),
    route({
      method: "POST",
      path: `${one}/acknowledge`,
      id: "acknowledgeEscalation",
      summary: "Takes note that an escalation ended with people: from now on its target may be acted on again.",
      access: { right: "mend", of: "space" },
      body: json(byRequest),
      answer: { kind: "json", schema: changedRun },
      handle: async (call, _query, { by }) => {
        const place = await placeOf(services, call);
        return { json: await acknowledgeEscalation(services, place.space, call.params["id"] ?? "", handOf(call, by, place)) };
      },
    }),
    route({
      method: "POST",
      path: `${one}/stop`,
      id: "stopEscalation",
      summary: "Ends what an escalation does now; nothing follows.",
      access: { right: "mend", of: "space" },
      body: json(byRequest),
      answer: { kind: "json", schema: changedRun },
      handle: async (call, _query, { by }) => {
        const place = await placeOf(services, call);
        return { json: await stopEscalation(services, place.space, call.params["id"] ?? "", handOf(call, by, place)) };
      },
    }),
  ];
}

async function* changedRuns({ store }: Services, { space, escalator }: Place, signal: AbortSignal): AsyncGenerator<SentEvent> {
  for await (const { changes } of store.watch(`/escalations/${space}/`, store.revision, signal)) {
    for (const change of changes) {
      if (change.kind !== "put") continue;
      const id = decodeURIComponent(change.entry.key.split("/")[3] ?? "");
      const stored = ladderObjects.escalation(store, space, id as EscalationId);
      if (stored !== null) yield { event: "escalation", json: JSON.stringify(viewEscalation(escalator, space, stored)) };
    }
  }
}
