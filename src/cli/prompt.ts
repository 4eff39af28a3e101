import { DroverError } from "#model/errors.ts";
import type { Session } from "./command.ts";
import { hasColour, printable } from "./output/output.ts";

/**
 * Asks before something is destroyed: by typing its `name`, or by y where no single name is at stake.
 * @throws {DroverError} CONFIRMATION_NEEDED if the answer is no, or if there is no terminal to ask at and no --yes
 */
export async function confirm(session: Session, what: string, name: string | null): Promise<void> {
  if (session.common.yes) return;
  const { input, error } = session.terminal;
  if (input.isTTY !== true || error.isTTY !== true) {
    throw new DroverError("CONFIRMATION_NEEDED", `${what}, and there is no terminal to ask at`, {
      hint: "Give --yes to do it without being asked.",
    });
  }
  const question = name === null ? `${what}. Go on? [y/N] ` : `${what}. Type "${name}" to go on: `;
  const answer = (await ask(session, question)).trim();
  if (name === null ? /^y(es)?$/i.test(answer) : answer === name) return;
  throw new DroverError("CONFIRMATION_NEEDED", `${what}; it was not confirmed, and nothing was changed`, {
    hint: name === null ? "Answer y, or give --yes." : `Type "${name}", or give --yes.`,
  });
}

/** One line from the terminal. Ctrl-C and Ctrl-D end it as an empty answer. */
function ask(session: Session, question: string): Promise<string> {
  return readLine(session, question, session.terminal.error);
}

/** One line from the terminal that is not shown as it is typed. */
export async function readHidden(session: Session, question: string): Promise<string> {
  const { Writable } = process.getBuiltinModule("node:stream");
  const line = await readLine(session, question, new Writable({ write: (_chunk, _encoding, done) => done() }));
  session.terminal.error.write("\n");
  return line;
}

async function readLine({ terminal, environment, signal }: Session, question: string, echo: NodeJS.WritableStream): Promise<string> {
  const { createInterface } = process.getBuiltinModule("node:readline/promises");
  const { input, error } = terminal;
  // Before the question is shown, because the terminal echoes whatever is typed before the reader takes it over.
  const reader = createInterface({ input, output: echo, terminal: true, history: [], historySize: 0 });
  try {
    error.write(printable(question, hasColour(error, environment)));
    const closed = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
    return await Promise.race([reader.question("", { signal }), closed]);
  } finally {
    reader.close();
  }
}

/** Everything on standard input, up to `mostBytes`. @throws {DroverError} BODY_TOO_LARGE */
export async function readInput(session: Session, mostBytes: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of session.terminal.input as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new DroverError("BODY_TOO_LARGE", `${what} on standard input is over ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
