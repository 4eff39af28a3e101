import { spawn } from "node:child_process";
import type { Session } from "./command.ts";

/** Shows an address to a person: printed, and opened in a browser where there is a terminal and `isOnlyPrinted` is not said. */
export async function showAddress(session: Session, url: string, isOnlyPrinted: boolean): Promise<void> {
  const { out, terminal } = session;
  out.line(url);
  if (!isOnlyPrinted && terminal.output.isTTY === true) await openBrowser(session, url);
}

/** Only http(s), and only as an argument: the address came from outside. */
async function openBrowser({ out }: Session, url: string): Promise<void> {
  if (!/^https?:\/\//.test(url)) return;
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  const browser = spawn(program, [url], { stdio: "ignore", detached: true });
  const isStarted = await new Promise<boolean>((resolve) => {
    browser.once("spawn", () => resolve(true));
    browser.once("error", () => resolve(false));
  });
  if (!isStarted) out.note(`no browser was opened: there is no "${program}" here`);
  browser.unref();
}
