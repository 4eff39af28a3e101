import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLog } from "#host/log.ts";
import type { Principal } from "./access-rule.ts";
import { openSessions, type Sessions } from "./sessions.ts";

const hour = 3_600_000;
const token = { spaces: null, expiresAtMs: null, session: null };
const owner: Principal = { ...token, id: "o1", token: "o1", name: "owner", role: "owner" };
const viewer: Principal = { ...token, id: "v/1", token: "v/1", name: "v", role: "viewer", expiresAtMs: 1_300_000 };

/** Sessions in a folder of their own, at a time that the test sets. */
async function fixture(context: TestContext, isSecure = false) {
  const folder = await mkdtemp(join(tmpdir(), "drover-sessions-"));
  context.after(() => rm(folder, { recursive: true }));
  const time = { nowMs: 1_000_000 };
  const held = new Map([owner, viewer].map((one) => [one.token, one]));
  let secrets = 0;
  const open = () =>
    openSessions({
      file: join(folder, "sessions.json"),
      installation: "abcdef0123456789",
      isSecure,
      tokens: { owner, holder: (id) => held.get(id) ?? null },
      clock: { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs, sleep: () => Promise.reject(new Error("nothing waits")) },
      log: createLog({ print: assert.fail, nowMs: () => 0, least: "warn" }),
      newSecret: () => String(++secrets).padStart(8, "0").padEnd(64, "a"),
    });
  return { file: join(folder, "sessions.json"), time, held, open, sessions: await open() };
}

async function logIn(sessions: Sessions, holder = owner) {
  const { setCookie, pageKey, id } = await sessions.open(sessions.issueTicket(holder).ticket, "a browser");
  return { id, setCookie, cookie: setCookie.split(";")[0] ?? "", pageKey };
}

test("a session needs both of its halves: the cookie and the page's key", async (context) => {
  const { sessions } = await fixture(context);
  const { cookie, pageKey, id } = await logIn(sessions);
  assert.deepEqual(sessions.authenticate({ cookie, "x-drover-page": pageKey }), {
    ...owner,
    id: `session ${id}`,
    name: `owner in session ${id}`,
    session: id,
  });
  assert.deepEqual(
    sessions.authenticate({ cookie: `theme=dark; ${cookie}; other=1`, "x-drover-page": pageKey })?.role,
    "owner",
    "among other cookies",
  );
  assert.equal(sessions.authenticate({ cookie }), null);
  assert.equal(sessions.authenticate({ "x-drover-page": pageKey }), null);
  const other = await logIn(sessions);
  assert.equal(sessions.authenticate({ cookie, "x-drover-page": other.pageKey }), null, "of two sessions");
  assert.equal(sessions.authenticate({ cookie: "drover-abcdef01=__proto__.x", "x-drover-page": pageKey }), null);
});

test("a ticket opens one session, within a minute", async (context) => {
  const { sessions, time } = await fixture(context);
  const { ticket } = sessions.issueTicket(owner);
  await sessions.open(ticket, "");
  await assert.rejects(sessions.open(ticket, ""), { code: "UNAUTHENTICATED" });
  await assert.rejects(sessions.open("f".repeat(64), ""), { code: "UNAUTHENTICATED" });
  const late = sessions.issueTicket(owner);
  time.nowMs += 60_000;
  await assert.rejects(sessions.open(late.ticket, ""), { code: "UNAUTHENTICATED" });
});

test("links that nobody opens are bounded", async (context) => {
  const { sessions, time } = await fixture(context);
  for (let i = 0; i < 20; i++) sessions.issueTicket(owner);
  assert.throws(() => sessions.issueTicket(owner), { code: "OVERLOADED" });
  time.nowMs += 60_000;
  sessions.issueTicket(owner);
});

test("a session ends when it is not used for twelve hours, and after a week however much it is used", async (context) => {
  const { sessions, time } = await fixture(context);
  const { cookie, pageKey } = await logIn(sessions);
  const isIn = () => sessions.authenticate({ cookie, "x-drover-page": pageKey }) !== null;
  for (let at = 0; at < 7 * 24; at += 11) {
    assert.ok(isIn(), `after ${at} hours`);
    time.nowMs += 11 * hour;
  }
  assert.ok(!isIn(), "after a week");
  const idle = await logIn(sessions);
  time.nowMs += 12 * hour + 1;
  assert.equal(sessions.authenticate({ cookie: idle.cookie, "x-drover-page": idle.pageKey }), null);
  assert.deepEqual(sessions.list(owner), []);
});

test("a session that is ended is refused at once", async (context) => {
  const { sessions } = await fixture(context);
  const { cookie, pageKey, id } = await logIn(sessions);
  assert.equal(sessions.holder(id)?.role, "owner");
  assert.equal(await sessions.end(id), true);
  assert.equal(sessions.holder(id), null);
  assert.equal(sessions.authenticate({ cookie, "x-drover-page": pageKey }), null);
  assert.equal(await sessions.end(id), false);
});

test("a session may what the token may that it was opened with, and ends with it", async (context) => {
  const { sessions, held } = await fixture(context);
  const { cookie, pageKey, id } = await logIn(sessions, viewer);
  const isIn = () => sessions.authenticate({ cookie, "x-drover-page": pageKey });
  assert.equal(isIn()?.role, "viewer");
  assert.equal(sessions.list(viewer)[0]?.untilMs, viewer.expiresAtMs, "it says when");
  held.delete(viewer.token);
  assert.equal(isIn(), null);
  assert.equal(sessions.holder(id), null);
  assert.deepEqual(sessions.list(owner), []);
  const { ticket } = sessions.issueTicket(viewer);
  await assert.rejects(sessions.open(ticket, ""), { code: "UNAUTHENTICATED" }, "a ticket is worth no more than its token");
});

test("an owner is shown everybody's sessions, others their own", async (context) => {
  const { sessions } = await fixture(context);
  await logIn(sessions);
  const { id } = await logIn(sessions, viewer);
  assert.equal(sessions.list(owner).length, 2);
  const own = sessions.list({ ...viewer, session: id });
  assert.deepEqual(
    own.map(({ token, role, isCurrent }) => [token, role, isCurrent]),
    [["v", "viewer", true]],
  );
});

test("a restart logs nobody out, and the file has no secret in it", async (context) => {
  const { sessions, open, file } = await fixture(context);
  const { cookie, pageKey } = await logIn(sessions);
  const again = await open();
  assert.notEqual(again.authenticate({ cookie, "x-drover-page": pageKey }), null);
  const kept = await readFile(file, "utf8");
  for (const secret of [pageKey, cookie.split(".")[1] ?? ""]) assert.ok(!kept.includes(secret));
});

test("scripts cannot read the cookie, other sites cannot send it, and over TLS no other host can set it", async (context) => {
  const plain = await logIn((await fixture(context)).sessions);
  assert.match(plain.setCookie, /^drover-abcdef01=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/);
  const secure = await logIn((await fixture(context, true)).sessions);
  assert.match(secure.setCookie, /^__Host-drover-abcdef01=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
});

test("sessions are bounded, and the one that was used longest ago makes way", async (context) => {
  const { sessions, time } = await fixture(context);
  const first = await logIn(sessions);
  for (let i = 0; i < 100; i++) {
    time.nowMs += 1_000;
    await logIn(sessions);
  }
  assert.equal(sessions.list(owner).length, 100);
  assert.equal(sessions.authenticate({ cookie: first.cookie, "x-drover-page": first.pageKey }), null);
});
