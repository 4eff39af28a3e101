import type { Terminal } from "../command.ts";

const enter = "\x1b[?1049h\x1b[?25l";
const leave = "\x1b[?25h\x1b[?1049l";
const home = "\x1b[H";
const clearLine = "\x1b[K";
const clearBelow = "\x1b[J";

/** A page of its own on the terminal, which gets back what it showed when this is disposed of. */
export interface Screen extends Disposable {
  readonly rows: number;
  readonly columns: number;
  /** @param lines ready for the terminal, each at most as wide as it is */
  draw(lines: readonly string[]): void;
}

/** @param onKey called with each character that is typed @param onResize called when the terminal has another size */
export function openScreen({ input, output }: Terminal, onKey: (key: string) => void, onResize: () => void): Screen {
  const onData = (bytes: Buffer) => {
    for (const key of bytes.toString("utf8")) onKey(key);
  };
  output.write(enter);
  if (input.isTTY) input.setRawMode(true);
  input.on("data", onData);
  input.resume();
  output.on("resize", onResize);
  return {
    get rows() {
      return output.rows ?? 24;
    },
    get columns() {
      return output.columns ?? 80;
    },
    draw: (lines) => void output.write(`${home}${lines.map((line) => `${line}${clearLine}`).join("\r\n")}${clearBelow}`),
    [Symbol.dispose]: () => {
      output.off("resize", onResize);
      input.off("data", onData);
      if (input.isTTY) input.setRawMode(false);
      input.pause();
      output.write(leave);
    },
  };
}
