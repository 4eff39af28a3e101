import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePorts } from "#host/testing/free-ports.ts";
import { TestDrover } from "./drover.ts";

/** A Drover that other machines can join, and where. */
export async function openFleet(context: TestContext): Promise<{ readonly first: TestDrover; readonly address: string }> {
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const first = await TestDrover.start({ args: ["--link", address] });
  context.after(() => first[Symbol.asyncDispose]());
  return { first, address };
}

/** Another home on this host, started as a machine of that Drover with a token of its own. */
export async function startMachine(context: TestContext, first: TestDrover, address: string, name: string): Promise<TestDrover> {
  const machine = await TestDrover.prepare();
  context.after(() => machine[Symbol.asyncDispose]());
  const file = join(machine.home, "join-token");
  await first.run("machine", "token", name, "--out", file);
  machine.launch(["--join", address, "--token-file", file]);
  await first.until(`${name} is linked`, () => isLinked(first, name));
  return machine;
}

export async function isLinked(first: TestDrover, name: string): Promise<boolean> {
  const { machines } = JSON.parse(await first.run("machine", "ls", "--json"));
  return machines.some((one: { id: string; linked: boolean }) => one.id === name && one.linked);
}
