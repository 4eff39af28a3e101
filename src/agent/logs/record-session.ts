import type { ExecSession } from "../engines/engine.ts";
import type { LogRecord } from "./log-store.ts";

type OutputPiece = ExecSession["output"] extends AsyncIterable<infer Piece> ? Piece : never;

/** The same command, of which the log keeps what it prints, and how it ended. */
export function recordSession(session: ExecSession, record: LogRecord): ExecSession {
  return { ...session, output: recorded(session, record) };
}

async function* recorded({ output, exit }: ExecSession, record: LogRecord): AsyncGenerator<OutputPiece, void, void> {
  try {
    for await (const piece of output) {
      await record.write(Buffer.from(piece.bytes));
      yield piece;
    }
    const { code, signal } = await exit;
    record.notice(code === null ? `the command was ended by ${signal}` : `the command exited with ${code}`, code === 0 ? "info" : "warn");
  } finally {
    await record.end();
  }
}
