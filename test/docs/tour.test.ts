import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { root, TestDrover } from "../harness/drover.ts";
import { type ConsoleStep, consoleSteps, printsAsExpected } from "./console-blocks.ts";

/** Every page whose console blocks have to work as printed, from top to bottom. */
const pages = ["README.md", "docs/guides/getting-started.md"];

for (const page of pages) {
  test(`what ${page} shows works as shown`, async () => {
    const steps = consoleSteps(await readFile(join(root, page), "utf8"));
    assert.ok(steps.length > 5, "the page has steps");
    await using drover = await TestDrover.start({ args: ["--apply", join(root, "examples", "shop")] });
    await drover.until("the example space is up", async () => {
      const { stdout, code } = await drover.cli(["apps", "--space", "shop", "--json"]);
      const found = JSON.parse(stdout);
      const apps: { health: string }[] = Array.isArray(found) ? found : found.apps;
      return code === 0 && apps.length >= 5 && apps.every(({ health }) => health === "ready");
    });
    const folder = join(drover.home, "tour");
    await mkdir(folder);
    await using shell = new Shell(folder, {
      ...drover.environment,
      PATH: `${join(root, "bin")}:${process.env["PATH"]}`,
      EDGE_PORT: String(drover.edgePort),
    });
    for (const step of steps) {
      // The page speaks of the default address; this Drover has one of its own.
      const printed = (
        await shell.run({ ...step, command: step.command.replaceAll("localhost:8080", `localhost:${drover.edgePort}`) })
      ).replaceAll(`localhost:${drover.edgePort}`, "localhost:8080");
      assert.ok(
        printsAsExpected(step.expected, printed),
        `${page}:${step.line}: $ ${step.command}\nprinted:\n${printed}\nexpected:\n${step.expected.join("\n")}`,
      );
    }
  });
}

/** One bash that runs the steps one after another, so that folders and variables stay. */
class Shell implements AsyncDisposable {
  readonly #bash;
  #text = "";
  #wake = () => {};

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.#bash = spawn("bash", ["--norc", "-s"], { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
    for (const stream of [this.#bash.stdout, this.#bash.stderr]) {
      stream.on("data", (chunk) => {
        this.#text += chunk;
        this.#wake();
      });
    }
  }

  async run(step: ConsoleStep): Promise<string> {
    const mark = `--- end of line ${step.line} ---`;
    this.#text = "";
    // In a group, so that a command cannot read the steps after it, and all that it prints comes before the mark.
    this.#bash.stdin.write(`{ ${step.command}\n} < /dev/null 2>&1\necho '${mark}'\n`);
    const end = performance.now() + 60_000;
    while (!this.#text.includes(mark)) {
      if (performance.now() > end) throw new Error(`line ${step.line} never ended: $ ${step.command}\n${this.#text}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#text.slice(0, this.#text.indexOf(mark));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bash.stdin.end();
    if (this.#bash.exitCode === null) await once(this.#bash, "exit");
  }
}
