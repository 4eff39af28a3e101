import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { WebSocketServer } from "ws";
import type { ExecInput, ExecOutput } from "#model/exec.ts";
import { FakeServer } from "../testing/fake-server.ts";

const droverBin = new URL("../../../bin/drover", import.meta.url).pathname;

/** What the other end of an exec does with each input. */
type Program = (input: ExecInput | { readonly kind: "open" }, say: (output: ExecOutput) => void) => void;

async function withProgram(context: TestContext, program: Program): Promise<FakeServer> {
  const fake = await FakeServer.start({ "POST /v1/spaces/default/apps/shop/exec": { json: { ticket: "t1", instance: "shop" } } });
  const sockets = new WebSocketServer({ noServer: true });
  fake.server.on("upgrade", (request, socket, head) => {
    assert.equal(request.url, "/v1/exec/t1");
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const say = (output: ExecOutput) => webSocket.send(JSON.stringify(output));
      webSocket.on("message", (frame) => program(JSON.parse(String(frame)), say));
      program({ kind: "open" }, say);
    });
  });
  context.after(async () => {
    for (const client of sockets.clients) client.terminate();
    await fake[Symbol.asyncDispose]();
  });
  return fake;
}

function text(stream: "stdout" | "stderr", what: string): ExecOutput {
  return { kind: "output", stream, base64: Buffer.from(what).toString("base64") };
}

test("without a terminal input is piped, the two outputs stay apart, and the exit code is the command's", async (t) => {
  let received = "";
  const fake = await withProgram(t, (input, say) => {
    if (input.kind === "input") received += Buffer.from(input.base64, "base64");
    if (input.kind !== "end") return;
    say(text("stdout", received.toUpperCase()));
    say(text("stderr", "a warning\n"));
    say({ kind: "exit", code: 42, signal: null });
  });
  const finished = await fake.run(["exec", "shop", "--process", "web", "--", "tr", "a-z", "A-Z", "--json"], { input: "some input\n" });
  assert.deepEqual(finished, { code: 42, stdout: "SOME INPUT\n", stderr: "a warning\n" });
  assert.deepEqual(fake.requests[0]?.body, { command: ["tr", "a-z", "A-Z", "--json"], terminal: null, fresh: false, process: "web" });
});

test("a command that a signal ended gives 128 and the signal's number, and a refusal gives its own exit code", async (t) => {
  const killed = await withProgram(t, (input, say) => input.kind === "open" && say({ kind: "exit", code: null, signal: "SIGKILL" }));
  assert.equal((await killed.run(["run", "shop", "x"])).code, 137);
  assert.deepEqual(killed.requests[0]?.body, { command: ["x"], terminal: null, fresh: true });
  const error = { code: "INSTANCE_NOT_FOUND", message: "it ended", hint: "", details: null } as const;
  const refused = await withProgram(t, (input, say) => input.kind === "open" && say({ kind: "error", error }));
  const finished = await refused.run(["exec", "shop", "x"]);
  assert.equal(finished.code, 7);
  assert.match(finished.stderr, /it ended {3}\[INSTANCE_NOT_FOUND\]/);
});

test("on a terminal keys go through as typed, resizes are told, output comes as it is, and the terminal is restored", async (t) => {
  const inputs: ExecInput[] = [];
  const fake = await withProgram(t, (input, say) => {
    if (input.kind === "open") return say(text("stdout", "\x1b[1mready\x1b[0m"));
    inputs.push(input);
    if (input.kind === "resize") say(text("stdout", "resized"));
    if (input.kind === "input" && Buffer.from(input.base64, "base64").includes(3)) say({ kind: "exit", code: 5, signal: null });
    return undefined;
  });
  const { spawn } = await import("@lydell/node-pty");
  // The shell around it shows afterwards whether its terminal echoes and reads lines again.
  const terminal = spawn(
    "sh",
    ["-c", `stty -g >before; "${droverBin}" exec shop; echo "exit $?"; stty -g >after; cmp before after && echo same`],
    {
      cwd: fake.home,
      env: fake.environment as Record<string, string>,
      cols: 91,
      rows: 17,
    },
  );
  let screen = "";
  terminal.onData((data) => {
    screen += data;
    if (data.includes("ready")) terminal.resize(100, 40);
    if (data.includes("resized")) terminal.write("\x03");
  });
  await new Promise<void>((resolve) => terminal.onExit(() => resolve()));
  assert.deepEqual(fake.requests[0]?.body, { command: [], terminal: { columns: 91, rows: 17 }, fresh: false });
  assert.ok(screen.includes("\x1b[1mready\x1b[0m"), screen);
  assert.deepEqual(inputs[0], { kind: "resize", columns: 100, rows: 40 });
  assert.match(screen, /exit 5\r\nsame/);
});

test("a broken connection ends the command with an error", async (t) => {
  const fake = await withProgram(t, () => {});
  fake.server.on("upgrade", (_request, socket) => socket.destroy());
  const { code, stderr } = await fake.run(["exec", "shop", "x"]);
  assert.equal(code, 1);
  assert.match(stderr, /\[SERVER_UNREACHABLE\]/);
});

test("a signal to the command line reaches the command inside", async (t) => {
  const { startDrover } = await import("../testing/fake-server.ts");
  const opened = Promise.withResolvers<void>();
  const fake = await withProgram(t, (input, say) => {
    if (input.kind === "open") opened.resolve();
    if (input.kind === "signal") say({ kind: "exit", code: null, signal: input.signal });
  });
  const child = startDrover(["exec", "shop", "sleep", "1000"], { env: fake.environment, cwd: fake.home });
  await opened.promise;
  child.kill("SIGTERM");
  const [code] = await once(child, "close");
  assert.equal(code, 143);
});
