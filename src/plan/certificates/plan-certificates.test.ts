import assert from "node:assert/strict";
import { test } from "node:test";
import type { CertificateFacts } from "#model/certificates.ts";
import { type CertificatesInput, planCertificates } from "./plan-certificates.ts";

const dayMs = 86_400_000;
const nowMs = 1_000 * dayMs;

function certificate(id: string, hosts: readonly string[], fromDays: number, toDays: number): CertificateFacts {
  const origin = id.split("/")[0] as CertificateFacts["origin"];
  return { id, origin, hosts, issuer: "x", fingerprint: id, notBeforeMs: nowMs + fromDays * dayMs, notAfterMs: nowMs + toDays * dayMs };
}

function plan(hosts: readonly string[], certificates: readonly CertificateFacts[] = [], more: Partial<CertificatesInput> = {}) {
  const rest = { acme: null, notBeforeMs: new Map(), jitterOf: () => 0, nowMs };
  return planCertificates({ hosts: new Set(hosts), certificates, ...rest, ...more });
}

const acme = { orders: "hosts", isPrivate: false } as const;

test("a routed host without a certificate gets one of the own authority", () => {
  assert.deepEqual(plan(["shop.localhost"]).actions, [{ kind: "issue", host: "shop.localhost", reason: "missing" }]);
});

test("an own certificate is renewed at half of its life, and serves meanwhile", () => {
  const young = certificate("own/a.localhost", ["a.localhost"], -10, 20);
  const early = plan(["a.localhost"], [young]);
  assert.deepEqual([early.actions, early.replanAtMs], [[], nowMs + 5 * dayMs]);
  const old = certificate("own/a.localhost", ["a.localhost"], -15, 15);
  const due = plan(["a.localhost"], [old]);
  assert.deepEqual(due.actions, [{ kind: "issue", host: "a.localhost", reason: "renewal" }]);
  assert.deepEqual([...due.serving], [["own/a.localhost", ["a.localhost"]]]);
});

test("a public host is ordered where an authority is set, and served with an own certificate until the order is there", () => {
  const { actions } = plan(["shop.example.com", "shop.localhost", "*.example.com"], [], { acme });
  assert.deepEqual(
    actions.map(({ kind, ...rest }) => [kind, "host" in rest ? rest.host : ""]),
    [
      ["issue", "*.example.com"],
      ["order", "shop.example.com"],
      ["issue", "shop.example.com"],
      ["issue", "shop.localhost"],
    ],
  );
  const own = certificate("own/shop.example.com", ["shop.example.com"], -1, 29);
  assert.deepEqual(
    plan(["shop.example.com"], [own], { acme }).actions.map(({ kind }) => kind),
    ["order"],
  );
});

test("wildcards are ordered only where the authority can be shown the zone", () => {
  const { actions } = plan(["*.example.com"], [], { acme: { orders: "hosts and wildcards", isPrivate: false } });
  assert.equal(actions[0]?.kind, "order");
});

test("an ordered certificate is renewed at two thirds of its life, hosts not all at once", () => {
  const ordered = certificate("acme/a.example.com", ["a.example.com"], -59, 31);
  const kinds = (jitter: number) => plan(["a.example.com"], [ordered], { acme, jitterOf: () => jitter }).actions.map(({ kind }) => kind);
  assert.deepEqual([kinds(0), kinds(1)], [[], ["order"]]);
});

test("after a failure nothing is ordered before its time, and the last good certificate goes on serving", () => {
  const ordered = certificate("acme/a.example.com", ["a.example.com"], -80, 10);
  const waiting = plan(["a.example.com"], [ordered], { acme, notBeforeMs: new Map([["a.example.com", nowMs + 60_000]]) });
  assert.deepEqual([waiting.actions, waiting.replanAtMs], [[], nowMs + 60_000]);
  assert.deepEqual([...waiting.serving.keys()], ["acme/a.example.com"]);
  assert.deepEqual(waiting.alerts, [{ id: "acme/a.example.com", days: 14 }]);
});

test("a file is preferred to what is ordered and issued, and what it replaces is dropped", () => {
  const file = certificate("file/site", ["*.example.com"], -1, 100);
  const own = certificate("own/a.example.com", ["a.example.com"], -1, 29);
  const { serving, actions } = plan(["a.example.com", "b.example.com"], [own, file], { acme });
  assert.deepEqual([...serving], [["file/site", ["a.example.com", "b.example.com"]]]);
  assert.deepEqual(actions, [{ kind: "drop", id: "own/a.example.com", reason: "replaced" }]);
});

test("an expired file gives way to what can be had", () => {
  const file = certificate("file/site", ["a.example.com"], -100, -1);
  const alone = plan(["a.example.com"], [file]);
  assert.deepEqual(alone.alerts, [{ id: "file/site", days: 0 }]);
  assert.deepEqual(alone.actions, [{ kind: "issue", host: "a.example.com", reason: "missing" }]);
  const own = certificate("own/a.example.com", ["a.example.com"], -1, 29);
  assert.deepEqual([...plan(["a.example.com"], [file, own]).serving.keys()], ["own/a.example.com"]);
});

test("certificates of hosts without a route go; an ordered one stays until it is over", () => {
  const own = certificate("own/gone.localhost", ["gone.localhost"], -1, 29);
  const ordered = certificate("acme/gone.example.com", ["gone.example.com"], -1, 80);
  const { actions, replanAtMs } = plan([], [own, ordered]);
  assert.deepEqual(actions, [{ kind: "drop", id: "own/gone.localhost", reason: "unrouted" }]);
  assert.equal(replanAtMs, nowMs + 80 * dayMs);
});

test("nobody is told of a short-lived certificate that is renewed in its time", () => {
  const days = (id: string, from: number, to: number) =>
    plan(["a.example.com"], [certificate(id, ["a.example.com"], from, to)]).alerts[0]?.days;
  assert.deepEqual([days("acme/x", -1, 5), days("acme/x", -4, 2), days("acme/x", -5, 1)], [undefined, undefined, 1]);
  assert.deepEqual([days("acme/x", -77, 13), days("acme/x", -34, 13), days("acme/x", -40, 7)], [14, undefined, 7]);
  assert.deepEqual([days("file/x", -1, 5), days("file/x", -5, 1), days("file/x", -6, 0)], [undefined, 1, 0]);
});

test("somebody is told 14, 7 and 1 days before the end", () => {
  for (const [left, days] of [
    [15, null],
    [14, 14],
    [7.5, 14],
    [7, 7],
    [1, 1],
    [0, 0],
  ] as const) {
    const file = certificate("file/site", ["a.example.com"], -100, left);
    const alert = plan(["a.example.com"], [file]).alerts[0];
    assert.equal(alert?.days ?? null, days, `${left} days left`);
  }
});

test("executing a plan leaves nothing to do", () => {
  const hosts = ["a.localhost", "b.example.com"];
  const made = plan(hosts, [], { acme }).actions.flatMap((action) =>
    action.kind === "drop" ? [] : [certificate(`${action.kind === "issue" ? "own" : "acme"}/${action.host}`, [action.host], 0, 90)],
  );
  const next = plan(hosts, made, { acme });
  assert.deepEqual(next.actions, [{ kind: "drop", id: "own/b.example.com", reason: "replaced" }]);
});
