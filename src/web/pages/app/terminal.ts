import { FitAddon } from "@xterm/addon-fit";
import { type ITheme, Terminal } from "@xterm/xterm";
import type { ExecTicket } from "#model/api.ts";
import type { ExecInput, ExecOutput } from "#model/exec.ts";
import { ApiError, apiPath, call } from "../../api/client.ts";
import { withStyleNonce } from "../../parts/style-nonce.ts";
import { theme } from "../../state/theme.ts";

/** Lines above the screen that can be scrolled back to. */
const scrollback = 5_000;

interface TerminalOptions {
  readonly element: HTMLElement;
  readonly space: string;
  readonly app: string;
  readonly instance: string;
  readonly onOpen: () => void;
}

/** Shows a shell in an instance until it ends or the signal aborts. @returns how it ended, in words. @throws {ApiError} */
export async function runTerminal({ element, space, app, instance, onOpen }: TerminalOptions, signal: AbortSignal): Promise<string> {
  element.replaceChildren();
  const terminal = new Terminal({
    scrollback,
    fontFamily: "ui-monospace, 'DejaVu Sans Mono', monospace",
    fontSize: 13,
    theme: themeOf(element),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  withStyleNonce(() => terminal.open(element));
  fit.fit();
  const size = { columns: terminal.cols, rows: terminal.rows };
  const ticket = await call<ExecTicket>("POST", apiPath(["spaces", space, "apps", app, "exec"]), {
    body: { command: [], terminal: size, instance },
    signal,
  });
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${apiPath(["exec", ticket.ticket])}`);
  const send = (input: ExecInput) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(input));
  };
  const encoder = new TextEncoder();
  terminal.onData((text) => send({ kind: "input", base64: encoder.encode(text).toBase64() }));
  terminal.onResize(({ cols, rows }) => send({ kind: "resize", columns: cols, rows }));
  const resized = new ResizeObserver(() => fit.fit());
  resized.observe(element);
  const systemColours = matchMedia("(prefers-color-scheme: dark)");
  const repaint = () => {
    terminal.options.theme = themeOf(element);
  };
  systemColours.addEventListener("change", repaint);
  // Chosen colours are an attribute of the document, which is set before anything else hears of it.
  const stopRepainting = theme.subscribe(repaint);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.onopen = () => {
    onOpen();
    terminal.focus();
  };
  socket.onmessage = ({ data }) => {
    const output = JSON.parse(String(data)) as ExecOutput;
    if (output.kind === "output") terminal.write(Uint8Array.fromBase64(output.base64));
    else if (output.kind === "exit") resolve(output.signal === null ? `ended with ${output.code ?? 0}` : `ended by ${output.signal}`);
    else reject(new ApiError(output.error.code, output.error.message, output.error.hint));
  };
  socket.onclose = () => reject(new ApiError("UNREACHABLE", "the connection to the terminal broke"));
  signal.addEventListener("abort", () => resolve("closed"), { once: true });
  try {
    return await promise;
  } finally {
    socket.close();
    resized.disconnect();
    systemColours.removeEventListener("change", repaint);
    stopRepainting();
    // What it shows stays to be read; keys do nothing any more.
    terminal.options.disableStdin = true;
    terminal.options.cursorBlink = false;
    if (signal.aborted) terminal.dispose();
  }
}

/** In the colours of the page. */
function themeOf(element: HTMLElement): ITheme {
  // A variable names the light and the dark one; which it is comes out only where it is used.
  const probe = element.appendChild(document.createElement("span"));
  const colour = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    background: colour("--ground"),
    foreground: colour("--text"),
    cursor: colour("--text"),
    selectionBackground: colour("--marked"),
    red: colour("--bad"),
    green: colour("--good"),
    yellow: colour("--warn"),
    blue: colour("--accent"),
  };
  probe.remove();
  return found;
}
