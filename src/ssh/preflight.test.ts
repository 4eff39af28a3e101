import assert from "node:assert/strict";
import { test } from "node:test";
import { type HostFacts, readFacts, readSaid } from "./facts.ts";
import { type HostNeeds, judgeHost, notesOn } from "./preflight.ts";

const gibibyte = 2 ** 30;
const good: HostFacts = {
  os: "Linux",
  arch: "x86_64",
  kernel: "6.1.0-18-amd64",
  hostName: "m2",
  clockMs: 1_000_000,
  libc: "glibc 2.36",
  lacks: [],
  optFreeBytes: 10 * gibibyte,
  homeFreeBytes: 10 * gibibyte,
  memoryFreeBytes: 2 * gibibyte,
  cgroup: "2",
  hasSystemd: true,
  ports: new Set([22]),
  reachesServer: true,
  foreign: [],
  hasServer: false,
  member: null,
  agentRuns: false,
  parts: new Set(),
  partly: new Map(),
};
const needs: HostNeeds = {
  architectures: ["x86_64"],
  copyBytes: 300 * 2 ** 20,
  ports: [8080, 8443],
  join: "10.0.0.1:7374",
  name: "m2",
  isLinked: false,
  nowMs: 1_000_000,
};

const faults: Readonly<Record<string, readonly [Partial<HostFacts>, string, RegExp]>> = {
  "another system": [{ os: "Darwin" }, "system", /runs Darwin/],
  "another processor": [{ arch: "aarch64" }, "architecture", /is aarch64, and the Drover here has programs for x86_64 alone/],
  "an old kernel": [{ kernel: "3.10.0-1160.el7" }, "kernel", /Linux 3\.10\.0-1160\.el7; 4\.18 is the least/],
  "another C library": [{ libc: "" }, "library", /no GNU C library/],
  "an old C library": [{ libc: "glibc 2.17" }, "library", /glibc 2\.17; 2\.28 is the least/],
  "no tar": [{ lacks: ["tar", "gzip"] }, "tools", /lacks tar, gzip/],
  "a clock a day behind": [{ clockMs: 1_000_000 - 86_400_000 }, "clock", /1 d 0 h behind/],
  "no clock": [{ clockMs: Number.NaN }, "clock", /unreadable/],
  "no room for the programs": [{ optFreeBytes: 90 * 2 ** 20 }, "disk", /90 MiB left for \/opt\/drover, which takes 300 MiB/],
  "no room for its state": [{ homeFreeBytes: 2 ** 20 }, "disk", /1 MiB left for \/var\/lib\/drover/],
  "no memory": [{ memoryFreeBytes: 100 * 2 ** 20 }, "memory", /100 MiB of memory left/],
  "a port taken": [{ ports: new Set([22, 8443]) }, "ports", /port 8443 taken/],
  "no way to the server": [{ reachesServer: false }, "server", /cannot reach the server at 10\.0\.0\.1:7374/],
  "a Drover put there by hand": [{ foreign: ["/opt/drover"] }, "foreign", /installed by hand/],
  "a Drover of its own": [{ hasServer: true }, "member", /holds a Drover of its own/],
  "a machine of another Drover": [{ member: { name: "m2", address: "10.9.9.9:7374" } }, "member", /has joined as "m2" at 10\.9\.9\.9:7374/],
  "another machine": [{ member: { name: "m9", address: "10.9.9.9:7374" } }, "member", /has joined as "m9" at 10\.9\.9\.9:7374/],
};

test("a host that has everything has no fault", () => {
  assert.deepEqual(judgeHost(good, needs), []);
  assert.deepEqual(notesOn(good), []);
});

for (const [what, [facts, check, words]] of Object.entries(faults))
  test(`${what} is one fault, with a remedy`, () => {
    const found = judgeHost({ ...good, ...facts }, needs);
    assert.deepEqual(
      found.map((fault) => fault.check),
      [check],
    );
    assert.match(found[0]?.what ?? "", words);
    assert.match(found[0]?.remedy ?? "", /^[A-Z].*\.$/);
  });

test("all faults of a host are told at once", () => {
  const found = judgeHost({ ...good, kernel: "3.10", memoryFreeBytes: 0, ports: new Set([8080]) }, needs);
  assert.deepEqual(
    found.map(({ check }) => check),
    ["kernel", "memory", "ports"],
  );
});

test("what could not be found out, and what the machine's own agent uses, is no fault", () => {
  assert.deepEqual(judgeHost({ ...good, optFreeBytes: null, homeFreeBytes: null, memoryFreeBytes: null, reachesServer: null }, needs), []);
  const itself = { member: { name: "m2", address: "10.0.0.1:7374" }, agentRuns: true, ports: new Set([8080, 8443]), memoryFreeBytes: 0 };
  assert.deepEqual(judgeHost({ ...good, ...itself }, needs), []);
  // The server has moved, and the machine has found it.
  assert.deepEqual(judgeHost({ ...good, ...itself }, { ...needs, join: "10.0.0.2:7374", isLinked: true }), []);
});

test("what does not hold on a host is noted, and keeps nobody from joining", () => {
  const facts = { ...good, hasSystemd: false, cgroup: "none" } as const;
  assert.deepEqual(judgeHost(facts, needs), []);
  assert.match(notesOn(facts).join("\n"), /no systemd.*\n.*no control groups/);
});

test("facts are read from the script's lines, whatever a login shell prints besides", () => {
  const output = [
    "Welcome to m2! drover:os=Plan9",
    "drover:os=Linux",
    "drover:arch=x86_64\r",
    "drover:clock=1700000000",
    "drover:opt_kib=1024",
    "drover:memory_kib=",
    "drover:listens=0016",
    "drover:listens=1F90",
    "drover:reaches=no",
    "drover:member=m2",
    "drover:member_of=10.0.0.1:7374",
    `drover:partly=${"a".repeat(64)} 512`,
    "drover:partly=../../etc 7",
    "drover:end=yes",
  ].join("\n");
  const facts = readFacts(readSaid(output));
  assert.deepEqual([facts.os, facts.arch, facts.clockMs, facts.optFreeBytes], ["Linux", "x86_64", 1_700_000_000_000, 2 ** 20]);
  assert.deepEqual([facts.memoryFreeBytes, [...facts.ports], facts.reachesServer], [null, [22, 8080], false]);
  assert.deepEqual(facts.member, { name: "m2", address: "10.0.0.1:7374" });
  assert.deepEqual([...facts.partly], [["a".repeat(64), 512]]);
});
