import assert from "node:assert/strict";
import { test } from "node:test";
import { readOptions } from "./program-options.ts";
import { readRouter } from "./router-name.ts";

const options = {
  "--router": { value: "NAME", help: "" },
  "--trusted-proxy": { value: "NETWORK", help: "", isRepeated: true },
  "--workers": { value: "N", help: "" },
} as const;
const read = (...args: readonly string[]) => readRouter(readOptions("edge", options, args), ["--trusted-proxy", "--workers"]);

test("the embedded router is the one that nobody has to ask for", () => {
  assert.equal(read(), "embedded");
  assert.equal(read("--router", "embedded", "--workers", "2", "--trusted-proxy", "10.0.0.1"), "embedded");
  assert.equal(read("--router", "haproxy"), "haproxy");
});

test("what the chosen router cannot do is refused when it is chosen", () => {
  assert.throws(() => read("--router", "nginx"), { code: "USAGE", message: '"nginx" is no router' });
  assert.throws(() => read("--router", "haproxy", "--trusted-proxy", "10.0.0.1"), {
    code: "USAGE",
    message: "the router HAProxy knows no --trusted-proxy",
  });
  assert.throws(() => read("--workers", "2", "--router", "haproxy"), { code: "USAGE", message: "the router HAProxy knows no --workers" });
});
