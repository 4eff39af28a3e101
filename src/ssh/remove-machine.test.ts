import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { parseTarget } from "#model/ssh-target.ts";
import type { Connection } from "./client.ts";
import { removeMachine } from "./remove-machine.ts";

const never = new AbortController().signal;

/** What is done, in order, on a host that says this of itself. */
async function remove(facts: string): Promise<readonly string[]> {
  const done: string[] = [];
  const connection: Connection = {
    key: "",
    pinned: [],
    run: async ({ input }) => {
      let text = "";
      for await (const chunk of input) text += chunk;
      const verb = text.split("\n")[1] ?? "";
      await turn();
      done.push(verb);
      const said = { login: "drover:user=root\ndrover:sudo=root\n", facts, uninstall: "drover:kept=/var/lib/drover/agent/volumes\n" }[verb];
      return { code: 0, output: `${said}drover:end=yes\n`, errors: "" };
    },
    [Symbol.asyncDispose]: async () => void done.push("closed"),
  };
  const context = {
    connect: async () => connection,
    password: null,
    log: () => {},
    stage: () => {},
    forget: async () => void done.push("forgotten"),
  };
  const kept = await removeMachine("m2", parseTarget("ops@m2"), context, never).catch((error: Error) => error.message);
  return [...done, String(kept)];
}

test("a machine is forgotten once its host was looked at, and uninstalled before the connection ends", async () => {
  assert.deepEqual(await remove("drover:member=m2\ndrover:member_of=10.0.0.1:7374\n"), [
    "login",
    "facts",
    "forgotten",
    "uninstall",
    "closed",
    "/var/lib/drover/agent/volumes",
  ]);
});

test("a host that is another machine, has a Drover of its own, or one that was installed by hand, is left alone", async () => {
  const others = {
    "drover:member=m3\n": 'that host is not "m2", but "m3"',
    "drover:server=yes\n": 'that host is not "m2", but has a Drover of its own',
    "drover:foreign=/opt/drover\n": "the Drover in /opt/drover there was installed by hand",
  };
  for (const [facts, words] of Object.entries(others)) assert.deepEqual(await remove(facts), ["login", "facts", "closed", words]);
});
