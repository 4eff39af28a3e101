import { cut, escapeText, renderStyles } from "./style.ts";

/** Where a command says things: the answer on stdout, all else on stderr. Every line is escaped here, so that no text can steer the terminal. */
export interface Output {
  /** Whether `--json` was given: then only values are printed. */
  readonly json: boolean;
  /** A line of the answer, for people. */
  line(text?: string): void;
  /** The answer as indented JSON. */
  value(value: unknown): void;
  /** One value of a stream, as a line of JSON. */
  streamed(value: unknown): void;
  /** Bytes as they are: output of a command or a stored value, which is the user's own. */
  raw(bytes: Uint8Array): void;
  /** Something beside the answer, on stderr; nothing with `--json`. */
  note(text?: string): void;
  /** Columns of the terminal that the answer goes to; null if it is none. */
  readonly columns: number | null;
}

export interface OutputOptions {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly json: boolean;
}

/** Colour needs a terminal, and nobody who asked for none (https://no-color.org). */
export function hasColour(stream: NodeJS.WriteStream, environment: Readonly<Record<string, string | undefined>>): boolean {
  return stream.isTTY === true && !environment["NO_COLOR"] && environment["TERM"] !== "dumb";
}

export function createOutput({ stdout, stderr, environment, json }: OutputOptions): Output {
  const colour = { out: hasColour(stdout, environment), error: hasColour(stderr, environment) };
  const columns = stdout.isTTY === true ? (stdout.columns ?? 80) : null;
  return {
    json,
    columns,
    line: (text = "") => void stdout.write(`${printable(text, colour.out)}\n`),
    value: (value) => void stdout.write(`${toJson(value, 2)}\n`),
    streamed: (value) => void stdout.write(`${toJson(value, 0)}\n`),
    raw: (bytes) => void stdout.write(bytes),
    note: (text = "") => {
      if (!json) stderr.write(`${printable(text, colour.error)}\n`);
    },
  };
}

export function printable(text: string, isColoured: boolean, columns = Number.POSITIVE_INFINITY): string {
  return renderStyles(cut(escapeText(text), columns), isColoured);
}

/** JSON that is harmless on a terminal too: what JSON allows raw but a terminal may obey is escaped. */
export function toJson(value: unknown, indent: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
