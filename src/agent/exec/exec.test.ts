import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { after, before, test } from "node:test";
import { systemClock } from "#host/clock.ts";
import { readJsonLines } from "#link/ndjson.ts";
import { DroverError } from "#model/errors.ts";
import type { ExecOutput } from "#model/exec.ts";
import type { ExecSession } from "../engines/engine.ts";
import { execOverStream } from "./exec-stream.ts";
import { createExecutor } from "./executor.ts";
import { killMarked } from "./leftovers.ts";
import type { ExecSurroundings } from "./surroundings.ts";

const owner = `test-${process.pid}`;
const executor = createExecutor({ owner, clock: systemClock });
const never = new AbortController().signal;
let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-exec-"));
});
after(() => rm(folder, { recursive: true, force: true }));

function surroundings(command: readonly string[], more: Partial<ExecSurroundings> = {}): ExecSurroundings {
  return {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "" },
    uid: null,
    gid: null,
    join: async () => {},
    command,
    terminal: null,
    ...more,
  };
}
const terminal = { columns: 80, rows: 24 };

async function outputOf(session: ExecSession): Promise<{ stdout: string; stderr: string }> {
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for await (const { stream, bytes } of session.output) parts[stream].push(Buffer.from(bytes));
  return { stdout: Buffer.concat(parts.stdout).toString(), stderr: Buffer.concat(parts.stderr).toString() };
}

/** Reads until `text` was printed, and leaves the rest of the output unread. */
async function waitFor(session: ExecSession, text: string): Promise<void> {
  let seen = "";
  for await (const { bytes } of session.output) {
    seen += Buffer.from(bytes).toString();
    if (seen.includes(text)) return;
  }
  assert.fail(`the output ended without ${JSON.stringify(text)}: ${JSON.stringify(seen)}`);
}

test("output and error output stay apart, and the exit code is the command's", async () => {
  const session = await executor.start(surroundings(["sh", "-c", "echo out; echo err >&2; exit 3"]), never);
  assert.deepEqual(await outputOf(session), { stdout: "out\n", stderr: "err\n" });
  assert.deepEqual(await session.exit, { code: 3, signal: null });
});

test("a command gets its folder, its environment and nothing of the agent's", async () => {
  process.env["DROVER_TEST_SECRET"] = "of the agent";
  const session = await executor.start(surroundings(["sh", "-c", 'pwd; echo "$OWN:$DROVER_TEST_SECRET"'], { env: { OWN: "mine" } }), never);
  assert.equal((await outputOf(session)).stdout, `${folder}\nmine:\n`);
});

test("arguments reach the command as they are", async () => {
  const args = ["a b", "$(id)", "`id`", "--", "", "-rf", "'\"\\"];
  const session = await executor.start(surroundings(["printf", "[%s]", ...args]), never);
  assert.equal((await outputOf(session)).stdout, args.map((arg) => `[${arg}]`).join(""));
});

test("input reaches the command, and its end is seen", async () => {
  const session = await executor.start(surroundings(["cat"]), never);
  await session.write(Buffer.from([0, 255, 10]));
  session.end();
  let bytes = Buffer.alloc(0);
  for await (const chunk of session.output) bytes = Buffer.concat([bytes, chunk.bytes]);
  assert.deepEqual([...bytes], [0, 255, 10]);
  assert.deepEqual(await session.exit, { code: 0, signal: null });
});

test("more output than fits anywhere arrives whole at a slow reader", async () => {
  const session = await executor.start(surroundings(["sh", "-c", "head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2"]), never);
  let bytes = 0;
  for await (const chunk of session.output) {
    bytes += chunk.bytes.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(bytes, 10_000_000);
});

test("a command that does not read its input makes the writer wait, and ends all the same", async () => {
  const stop = new AbortController();
  const session = await executor.start(surroundings(["sleep", "100"]), stop.signal);
  const block = Buffer.alloc(1_000_000);
  const written = session.write(block).then(() => session.write(block));
  stop.abort(new Error("enough"));
  await assert.rejects(written, /enough/);
  assert.notEqual((await session.exit).signal, null);
});

test("a command in a terminal sees a terminal of the given size, and new sizes", async () => {
  const session = await executor.start(
    surroundings(["sh", "-c", 'stty size; trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.01; done'], { terminal }),
    never,
  );
  const reading = (async () => {
    let seen = "";
    for await (const { bytes } of session.output) {
      seen += Buffer.from(bytes).toString();
      if (seen.includes("ready")) for (let columns = 1; columns <= 100; columns++) session.resize({ columns, rows: 30 });
    }
    return seen;
  })();
  assert.match(await reading, /^24 80\r\nready\r\n(?:.*\r\n)*30 100\r\n$/);
  assert.deepEqual(await session.exit, { code: 0, signal: null });
});

test("signals go to what is in the foreground", async () => {
  for (const size of [terminal, null]) {
    const session = await executor.start(surroundings(["sh", "-c", "echo ready; exec sleep 100"], { terminal: size }), never);
    await waitFor(session, "ready");
    session.signal("SIGINT");
    assert.deepEqual(await session.exit, { code: null, signal: "SIGINT" });
  }
});

test("Ctrl-C and Ctrl-D in a terminal mean what they mean", async () => {
  const interrupted = await executor.start(surroundings(["sh", "-c", "echo ready; exec sleep 100"], { terminal }), never);
  await waitFor(interrupted, "ready");
  await interrupted.write(Buffer.from([3]));
  assert.deepEqual(await interrupted.exit, { code: null, signal: "SIGINT" });
  const ended = await executor.start(surroundings(["cat"], { terminal }), never);
  await ended.write(Buffer.from("hello\n"));
  ended.end();
  assert.equal((await outputOf(ended)).stdout.split("hello").length, 3);
  assert.deepEqual(await ended.exit, { code: 0, signal: null });
});

test("the exit of a command in a terminal comes with all of its output", async () => {
  const session = await executor.start(surroundings(["sh", "-c", "seq 1 20000; exit 7"], { terminal }), never);
  assert.match((await outputOf(session)).stdout, /^1\r\n2\r\n(?:\d+\r\n)+20000\r\n$/);
  assert.deepEqual(await session.exit, { code: 7, signal: null });
});

test("a command that is not there, or no program, is refused in words", async () => {
  for (const size of [terminal, null]) {
    for (const [command, message] of [
      [["no-such-command"], /there is no command "no-such-command" in the PATH that it would have/],
      [["./missing"], /there is no command ".\/missing"/],
      [["/tmp"], /"\/tmp" is there, but it is not a program/],
      [[""], /empty command/],
      [["a\0b"], /zero byte/],
    ] as const) {
      await assert.rejects(
        () => executor.start(surroundings(command, { terminal: size }), never),
        (error) => error instanceof DroverError && error.code === "EXEC_FAILED" && message.test(error.message) && error.hint !== "",
      );
    }
  }
  await assert.rejects(() => executor.start(surroundings(["true"], { cwd: join(folder, "gone") }), never), { code: "EXEC_FAILED" });
});

test("a command joins its instance before its first instruction, and does not run if it cannot", async () => {
  for (const size of [terminal, null]) {
    const file = join(folder, `ran-${size === null}`);
    const refuse = async () => {
      throw new Error("no such group");
    };
    await assert.rejects(() => executor.start(surroundings(["touch", file], { terminal: size, join: refuse }), never), {
      code: "EXEC_FAILED",
    });
    await assert.rejects(readFile(file), { code: "ENOENT" });
    let joined = 0;
    const session = await executor.start(
      surroundings(["sh", "-c", "echo $$"], {
        terminal: size,
        join: async (pid) => {
          joined = pid;
        },
      }),
      never,
    );
    assert.equal(Number((await outputOf(session)).stdout), joined);
  }
});

test("when the caller goes, nothing is left: not what ignores signals, nor what left the group", async () => {
  for (const size of [terminal, null]) {
    const stop = new AbortController();
    const script = 'trap "" HUP TERM INT; setsid sleep 1000 & sleep 1000 & echo ready; while :; do sleep 1; done';
    const session = await executor.start(surroundings(["sh", "-c", script], { terminal: size }), stop.signal);
    await waitFor(session, "ready");
    stop.abort(new Error("the caller went away"));
    assert.equal((await session.exit).signal, "SIGKILL");
    assert.equal(await killMarked(`${owner}#`), 0);
  }
});

test("what a command leaves in the background ends with it", async () => {
  for (const size of [terminal, null]) {
    const session = await executor.start(
      surroundings(["sh", "-c", "setsid sleep 1000 & sleep 1000 & echo done"], { terminal: size }),
      never,
    );
    assert.match((await outputOf(session)).stdout, /done/);
    assert.equal((await session.exit).code, 0);
    assert.equal(await killMarked(`${owner}#`), 0);
  }
});

test("what an agent that was killed has left is found by its owner", async () => {
  const other = `${owner}-other`;
  const mine = createExecutor({ owner: other, clock: systemClock });
  const session = await mine.start(surroundings(["sleep", "1000"]), never);
  assert.equal(await killMarked(`${owner}#`), 0);
  assert.equal(await killMarked(`${other}#`), 1);
  assert.deepEqual(await session.exit, { code: null, signal: "SIGKILL" });
});

test("as root a command runs as the app's user, with no other group, in a terminal that is its own", {
  skip: process.getuid?.() !== 0,
}, async () => {
  for (const size of [terminal, null]) {
    const script = 'id -u; id -g; id -G; [ -t 0 ] && stat -c %u "$(tty)" && echo x >"$(tty)"; exit 0';
    const session = await executor.start(surroundings(["sh", "-c", script], { cwd: "/", uid: 54321, gid: 54321, terminal: size }), never);
    const { stdout } = await outputOf(session);
    assert.deepEqual(stdout.split(/\r?\n/).slice(0, -1), ["54321", "54321", "54321", ...(size === null ? [] : ["54321", "x"])]);
  }
});

function serve(): {
  readonly caller: Duplex;
  readonly callee: Duplex;
  readonly served: Promise<void>;
  readonly answers: AsyncGenerator<unknown>;
} {
  const [caller, callee] = duplexPair();
  const served = execOverStream(
    callee,
    (request, signal) => executor.start(surroundings(request.command, { terminal: request.terminal }), signal),
    never,
  );
  return { caller, callee, served, answers: readJsonLines(caller) };
}
const startOf = (command: readonly string[]) =>
  `${JSON.stringify({ kind: "start", request: { where: { kind: "instance", instance: "s/a/web.1.aaaaa" }, command, terminal: null } })}\n`;
const inputOf = (text: string) => `${JSON.stringify({ kind: "input", base64: Buffer.from(text).toString("base64") })}\n`;
async function allOf(answers: AsyncGenerator<unknown>): Promise<ExecOutput[]> {
  const all: ExecOutput[] = [];
  for await (const answer of answers) all.push(answer as ExecOutput);
  return all;
}

test("over a stream, a command gets its input and answers with output and its exit", async () => {
  const { caller, served, answers } = serve();
  for (const line of [startOf(["sh", "-c", "cat; exit 5"]), inputOf("hello"), '{"kind":"end"}\n']) caller.write(line);
  const all = await allOf(answers);
  assert.deepEqual(all.at(-1), { kind: "exit", code: 5, signal: null });
  assert.deepEqual(all[0], { kind: "output", stream: "stdout", base64: Buffer.from("hello").toString("base64") });
  await served;
});

test("over a stream, a command that cannot start is told as an error", async () => {
  const { caller, served, answers } = serve();
  caller.write(startOf(["no-such-command"]));
  const [answer] = await allOf(answers);
  assert.equal(answer?.kind === "error" && answer.error.code, "EXEC_FAILED");
  await served;
});

test("over a stream, input that makes no sense ends the command", async () => {
  for (const line of [
    '{"kind":"resize","columns":0,"rows":1}',
    '{"kind":"signal","signal":"SIGSTOP"}',
    '{"kind":"input","base64":"%"}',
    "{}",
    "null",
    startOf(["true"]).trim(),
  ]) {
    const { caller, served, answers } = serve();
    caller.write(`${startOf(["sleep", "1000"])}${line}\n`);
    const last = (await allOf(answers)).at(-1);
    assert.equal(last?.kind === "error" && last.error.code, "REQUEST_INVALID", line);
    await served;
  }
  assert.equal(await killMarked(`${owner}#`), 0);
});

test("over a stream, signals arrive while the command takes no input, and a vanished caller ends it", async () => {
  const { caller, callee, served, answers } = serve();
  caller.write(startOf(["sh", "-c", "trap 'echo got it' USR1 INT; echo ready; while :; do sleep 0.01; done"]));
  await answers.next();
  for (let sent = 0; sent < 4; sent++) caller.write(inputOf("x".repeat(60_000)));
  caller.write('{"kind":"signal","signal":"SIGINT"}\n');
  const { value } = await answers.next();
  assert.equal(Buffer.from((value as { base64: string }).base64, "base64").toString(), "got it\n");
  callee.destroy();
  await served;
  assert.equal(await killMarked(`${owner}#`), 0);
});
