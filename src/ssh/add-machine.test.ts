import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#host/testing/virtual-clock.ts";
import { DroverError } from "#model/errors.ts";
import { parseTarget } from "#model/ssh-target.ts";
import { type AddContext, addMachine, type Members } from "./add-machine.ts";
import type { Command, Connection } from "./client.ts";
import { nothingCopied } from "./copy-parts.ts";
import { SiteTurns } from "./site-turns.ts";

const target = parseTarget("ops@m2");
const never = new AbortController().signal;
const facts = {
  os: "Linux",
  arch: "x86_64",
  kernel: "6.1.0",
  hostname: "m2",
  clock: "1000000000",
  libc: "glibc 2.36",
  init: "systemd",
  cgroup: "2",
};

interface Played {
  /** Every verb that was asked for, in order. */
  readonly verbs: string[];
  /** Standard input of each, and the line that it came with. */
  readonly sent: string[];
  readonly forgotten: string[];
  readonly notes: string[];
  readonly context: AddContext;
}

/** A host and a server as a table of what they answer; what is not in it answers that all went well. */
function play(answers: Readonly<Record<string, Readonly<Record<string, string>>>>, server: Partial<Members> = {}): Played {
  const verbs: string[] = [];
  const sent: string[] = [];
  const forgotten: string[] = [];
  const run = async ({ line, input }: Command) => {
    let text = "";
    for await (const chunk of input) text += chunk;
    sent.push(`${line}\n${text}`);
    const lines = text.split("\n");
    const script = lines.findIndex((one) => one.startsWith("drover:"));
    const verb = script === -1 ? "password" : (lines[script + 1] ?? "");
    verbs.push(verb);
    const said: Readonly<Record<string, string>> = { ...(verb === "facts" ? facts : {}), ...answers[verb] };
    const hasFailed = "failed" in said;
    const output = Object.entries(said).map(([key, value]) => `drover:${key}=${value}\n`);
    return {
      code: hasFailed ? 3 : 0,
      output: `${output.join("")}${hasFailed ? "" : "drover:end=yes\n"}`,
      errors: "",
    };
  };
  const connection: Connection = {
    key: "ssh-ed25519 SHA256:k",
    pinned: [{ host: "m2", key: "ssh-ed25519 SHA256:k" }],
    run,
    [Symbol.asyncDispose]: async () => {},
  };
  const clock = new VirtualClock();
  const context: AddContext = {
    connect: async () => connection,
    members: {
      join: { host: "10.0.0.1", port: 7374 },
      linked: async () => new Set(verbs.includes("start") ? ["m2"] : []),
      known: async () => new Set(),
      createToken: async (name) => `drv_join_${name}`,
      forget: async (name) => void forgotten.push(name),
      neighbour: async () => null,
      ...server,
    },
    distribution: async () => ({ version: "v1", release: "0.0.0", architecture: "x86_64", parts: [] }),
    password: null,
    agentOptions: ["--http", "0.0.0.0:80"],
    edgePorts: [80, 443],
    ignored: new Set(),
    givesPlace: false,
    claimed: new Set(),
    turns: new SiteTurns(clock),
    linkMs: 0,
    clock,
  };
  return { verbs, sent, forgotten, notes: [], context };
}

/** A clock's hand that moves with every look. */
function counter(): () => number {
  let looks = 0;
  return () => looks++;
}

const report = ({ notes }: Played) => ({ stage: () => {}, note: (text: string) => void notes.push(text), log: () => {} });
const root = { user: "root", sudo: "root" };

test("a host is looked at, joined and started, and its new key is told", async () => {
  const played = play({ login: root });
  assert.deepEqual(await addMachine(target, played.context, report(played), never), {
    machine: "m2",
    already: false,
    copied: nothingCopied,
  });
  assert.deepEqual(played.verbs, ["login", "facts", "install", "join", "start"]);
  assert.deepEqual(played.notes, ["the key of m2 is pinned now, as it was not known: ssh-ed25519 SHA256:k"]);
});

test("neither a token nor a password is ever in what other users of a host can see", async () => {
  const played = play({ login: { user: "ops", sudo: "password" } });
  const context = { ...played.context, password: async () => "open sesame" };
  await addMachine(target, context, report(played), never);
  assert.deepEqual(played.verbs, ["login", "password", "facts", "install", "join", "start"]);
  for (const text of played.sent) {
    const [line = "", ...input] = text.split("\n");
    assert.doesNotMatch(line, /open sesame|drv_join/);
    if (line.startsWith("sudo")) assert.equal(input[0], "open sesame", "sudo reads it first, and the script after it");
  }
  assert.match(played.sent.at(-2) ?? "", /\njoin\n10\.0\.0\.1:7374\ndrv_join_m2\n$/);
});

test("without anybody to ask for a password, and without sudo, nothing is tried", async () => {
  for (const [sudo, words] of [
    ["password", /asks "ops" for a password there, and there is no terminal/],
    ["missing", /"ops" is not root there, and there is no sudo/],
  ] as const) {
    const played = play({ login: { user: "ops", sudo } });
    await assert.rejects(addMachine(target, played.context, report(played), never), { code: "HOST_UNFIT", message: words });
    assert.deepEqual(played.verbs, ["login"]);
  }
});

test("faults end it before anything is changed, but for those that are to be passed over", async () => {
  const slow = { login: root, facts: { clock: "999990000" } };
  const played = play(slow);
  await assert.rejects(addMachine(target, played.context, report(played), never), { code: "HOST_UNFIT" });
  assert.deepEqual(played.verbs, ["login", "facts"]);
  const passed = play(slow);
  await addMachine(target, { ...passed.context, ignored: new Set(["clock"] as const) }, report(passed), never);
  assert.ok(passed.verbs.includes("start"));
});

test("an agent that does not start is taken back, on the host and at the server, with its last words told", async () => {
  const played = play({ login: root, start: { failed: "systemd does not start the agent: exec format error" } });
  await assert.rejects(addMachine(target, played.context, report(played), never), /exec format error/);
  assert.deepEqual(played.verbs.slice(-2), ["start", "undo"]);
  assert.deepEqual(played.forgotten, ["m2"]);
});

test("an agent that does not link in time is taken back", async () => {
  const played = play({ login: root }, { linked: async () => new Set() });
  const clock = { nowMs: () => 1_000_000_000_000, monotonicMs: counter(), sleep: async () => {} };
  await assert.rejects(addMachine(target, { ...played.context, clock }, report(played), never), {
    code: "UNHEALTHY",
    message: /has not linked within/,
  });
  assert.deepEqual(played.verbs.slice(-3), ["start", "why", "undo"]);
});

test("a machine that is one already is left as it is", async () => {
  const answers = { login: root, facts: { member: "m2", member_of: "10.0.0.1:7374", agent: "77" } };
  const server = { known: async () => new Set(["m2"]), linked: async () => new Set(["m2"]) };
  const played = play(answers, server);
  assert.deepEqual(await addMachine(target, played.context, report(played), never), {
    machine: "m2",
    already: true,
    copied: nothingCopied,
  });
  assert.deepEqual(played.verbs, ["login", "facts"]);
});

test("a machine whose agent does not run is started again without another token, and nothing of it is taken back", async () => {
  const facts = { member: "m2", member_of: "10.0.0.1:7374" };
  const server = { known: async () => new Set(["m2"]), createToken: () => Promise.reject(new Error("no token is needed")) };
  const played = play({ login: root, facts }, server);
  await addMachine(target, played.context, report(played), never);
  assert.deepEqual(played.verbs, ["login", "facts", "install", "start"]);
  const broken = play({ login: root, facts, start: { failed: "no" } }, server);
  await assert.rejects(addMachine(target, broken.context, report(broken), never), DroverError);
  assert.deepEqual([broken.verbs.at(-1), broken.forgotten], ["start", []]);
});

test("a host that was removed, and does not know it, is ended first and joins anew", async () => {
  const facts = { member: "m2", member_of: "10.0.0.1:7374", agent: "77" };
  const played = play({ login: root, facts });
  await addMachine(target, played.context, report(played), never);
  assert.deepEqual(played.verbs, ["login", "facts", "install", "undo", "join", "start"]);
});

test("two hosts that call themselves alike do not both become that machine", async () => {
  const played = play({ login: root });
  await addMachine(target, played.context, report(played), never);
  await assert.rejects(addMachine(parseTarget("m2.example.com"), played.context, report(played), never), { code: "CONFLICT" });
});

test("a bare host does not take the place of a machine that there is", async () => {
  const played = play({ login: root }, { known: async () => new Set(["m2"]) });
  await assert.rejects(addMachine(target, played.context, report(played), never), { code: "CONFLICT" });
  assert.deepEqual(played.verbs, ["login", "facts"]);
});
