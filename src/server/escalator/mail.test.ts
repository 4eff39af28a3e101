import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { test } from "node:test";
import { createOutgoing } from "#host/outgoing.ts";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import type { MailServer } from "#model/ladder.ts";
import type { SpaceName } from "#model/names.ts";
import { TestMailServer } from "../../../test/harness/mail-server.ts";
import { sendMail } from "./mail.ts";
import { mailOf } from "./notice-text.ts";

const login = { user: "drover", secret: "SMTP_PASSWORD" };
const via = (server: { readonly port: number; readonly ca?: string }, more: Partial<MailServer> = {}): MailServer => ({
  host: "127.0.0.1",
  port: server.port,
  tls: "starttls",
  ca: server.ca ?? null,
  login,
  from: "drover@example.com",
  ...more,
});

const send = (
  server: MailServer,
  more: { password?: string | null; allowed?: readonly string[]; subject?: string; clock?: VirtualClock } = {},
) =>
  sendMail(
    {
      via: server,
      mail: { id: "m1", to: "oncall@example.com", subject: more.subject ?? "[default] m1 is gone", text: "m1 is gone\n" },
      password: more.password === undefined ? "correct horse" : more.password,
      resolve: createOutgoing(more.allowed ?? ["127.0.0.1"]),
      clock: more.clock ?? new VirtualClock(0),
    },
    new AbortController().signal,
  );

test("an e-mail goes over STARTTLS with user and password, as plain text under an id that stays the same at every try", async () => {
  await using server = await TestMailServer.start({ authOptional: false });
  assert.equal(await send(via(server)), null);
  assert.equal(await send(via(server)), null);
  const [first, again] = server.taken;
  assert.deepEqual(
    [first?.from, first?.to, first?.user, first?.isEncrypted],
    ["drover@example.com", ["oncall@example.com"], "drover", true],
  );
  assert.match(first?.text ?? "", /^Subject: \[default\] m1 is gone$/m);
  assert.match(first?.text ?? "", /^Auto-Submitted: auto-generated$/m);
  assert.match(first?.text ?? "", /^Content-Type: text\/plain/m);
  for (const one of [first, again]) assert.match(one?.text ?? "", /^Message-ID: <m1@example\.com>$/im);
});

test("an e-mail goes over TLS from the first byte where the server speaks it so, and without a password where none is asked", async () => {
  await using server = await TestMailServer.start({ secure: true });
  assert.equal(await send(via(server, { tls: "implicit", login: null }), { password: null }), null);
  assert.deepEqual([server.taken[0]?.isEncrypted, server.taken[0]?.user], [true, null]);
});

test("where TLS is wanted and the server offers none, neither password nor e-mail is sent", async () => {
  await using server = await TestMailServer.start({ disabledCommands: ["STARTTLS"], allowInsecureAuth: true });
  assert.match((await send(via(server))) ?? "taken", /STARTTLS|TLS/);
  assert.deepEqual(server.heard, []);
  assert.equal(await send(via(server, { tls: "off", login: null })), null, "a relay on a network of one's own may do without");
});

test("a mail server whose certificate is not to be trusted, or is for another name, gets nothing", async () => {
  await using server = await TestMailServer.start();
  await using other = await TestMailServer.start({}, ["mail.example.com"]);
  assert.match((await send(via({ port: server.port }))) ?? "taken", /certificate/);
  assert.match((await send(via(other))) ?? "taken", /127\.0\.0\.1/);
  assert.deepEqual([server.heard, other.heard], [[], []]);
});

test("a refused password and a refused address are told in the server's words, and the password is in none of them", async () => {
  await using strict = await TestMailServer.start();
  const refused = (await send(via(strict), { password: "wrong battery" })) ?? "taken";
  assert.match(refused, /that is not it/);
  assert.ok(!refused.includes("wrong battery"));
  await using full = await TestMailServer.start({
    onRcptTo: (_to, _session, done) => done(Object.assign(new Error("no such person"), { responseCode: 550 })),
  });
  assert.match((await send(via(full))) ?? "taken", /no such person/);
  assert.match((await send(via(full), { password: null })) ?? "taken", /no secret "SMTP_PASSWORD"/);
});

test("a mail server that never greets is given up after its deadline", async () => {
  const clock = new VirtualClock(0);
  const silent = net.createServer(() => void clock.advance(30_000)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  try {
    assert.equal(await send(via({ port: (silent.address() as AddressInfo).port }), { clock }), "no answer within 30 s");
  } finally {
    silent.close();
  }
});

test("a mail server's name is asked for once: the address that was judged is the one that is called, and its certificate has to be for the name", async () => {
  await using server = await TestMailServer.start({}, ["mail.test"]);
  let asked = 0;
  const rebinding = (async () => ({ address: asked++ === 0 ? "127.0.0.1" : "192.0.2.1", family: 4 })) as never;
  const mail = { id: "m1", to: "oncall@example.com", subject: "m1 is gone", text: "m1 is gone\n" };
  const resolve = createOutgoing(["127.0.0.1"], rebinding);
  const named = via(server, { host: "mail.test", login: null });
  assert.equal(
    await sendMail({ via: named, mail, password: null, resolve, clock: new VirtualClock(0) }, new AbortController().signal),
    null,
  );
  assert.deepEqual([asked, server.taken.length], [1, 1]);
});

test("a mail server inside is refused unless it is allowed", async () => {
  assert.match((await send(via({ port: 25 }), { allowed: [] })) ?? "taken", /inside/);
});

test("what a check said cannot add a line to an e-mail's head", async () => {
  await using server = await TestMailServer.start();
  assert.equal(await send(via(server), { subject: "gone\r\nBcc: everybody@example.com\r\n\r\nhello \u0000" }), null);
  assert.deepEqual(server.taken[0]?.to, ["oncall@example.com"]);
  assert.match(server.taken[0]?.text ?? "", /^Subject: gone Bcc: everybody@example\.com hello$/m);
});

test("an e-mail of one notice has it as its subject; one of many counts them, and each link stands beside what it is for", () => {
  const space = "shop" as SpaceName;
  const told = (i: number) => ({ notice: { key: `people:${i}`, sinceMs: 0, text: `app/a${i} needs a person` }, link: `https://d/${i}` });
  const one = mailOf(space, [told(0)]);
  assert.equal(one.subject, "[shop] app/a0 needs a person");
  assert.match(one.text, /^app\/a0 needs a person\. Next: drover escalation show 0 --space shop\n {2}Look and take note: https:\/\/d\/0\n/);
  const approval = { notice: { key: "approval:space@1:network", sinceMs: 0, text: "it waits for approval" }, link: null };
  assert.match(
    mailOf(space, [approval]).text,
    /^it waits for approval\. Next: drover escalation approve space@1 --space shop \(or refuse\)\n/,
  );
  const many = mailOf(
    space,
    Array.from({ length: 12 }, (_, i) => told(i)),
  );
  assert.equal(many.subject, "[shop] 12 notices");
  assert.equal(many.text.match(/https:/g)?.length, 10);
  assert.match(many.text, /\nand 2 more\n/);
});
