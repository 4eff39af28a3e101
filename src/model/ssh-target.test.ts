import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTarget, machineName, parseTarget } from "./ssh-target.ts";

test("a host is named with what of name, user and port is given, and reads back as it was", () => {
  const none = { name: null, user: null, port: null, labels: {} };
  const forms = {
    "10.0.0.12": { ...none, host: "10.0.0.12" },
    "ops@web-1.example.com:2222": { ...none, user: "ops", host: "web-1.example.com", port: 2222 },
    "m2=ops@build": { ...none, name: "m2", user: "ops", host: "build" },
    "m2=[2001:db8::1]:22": { ...none, name: "m2", host: "2001:db8::1", port: 22 },
  };
  for (const [text, target] of Object.entries(forms)) {
    assert.deepEqual(parseTarget(text), target);
    assert.equal(formatTarget(target), text);
  }
});

test("what ssh or a shell could take for something else is no host", () => {
  for (const text of [
    "",
    "-oProxyCommand=id",
    "ops@-oProxyCommand=id",
    "-l@h",
    "h;id",
    "$(id)",
    "a b",
    "h:0",
    "h:70000",
    "2001:db8::1",
    "@h",
    "h\n",
  ])
    assert.throws(() => parseTarget(text), { code: /USAGE|NAME_INVALID/ }, text);
  assert.throws(() => parseTarget("M2=h"), { code: "NAME_INVALID" });
});

test("a machine is called as it was asked for, else as its host is, else as its host calls itself", () => {
  assert.equal(machineName(parseTarget("m2=web-1.example.com"), "other"), "m2");
  assert.equal(machineName(parseTarget("Web-1.example.com"), "other"), "web-1");
  assert.equal(machineName(parseTarget("10.0.0.12"), "node12.example.com"), "node12");
  assert.throws(() => machineName(parseTarget("web_1"), "other"), { code: "NAME_INVALID" });
});
