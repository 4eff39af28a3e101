import { type CommandEnd, type Finding, failed, oneLine, passed } from "../finding.ts";

/** What a command's end means, by the convention that its output follows. */
export function judgeCommand(output: "exit" | "nagios" | "cucumber", end: CommandEnd): Finding {
  switch (output) {
    case "exit":
      return judgeExit(end);
    case "nagios":
      return judgeNagios(end);
    case "cucumber":
      return judgeCucumber(end);
    default:
      return output satisfies never;
  }
}

function judgeExit({ exitCode, output }: CommandEnd): Finding {
  const line = lastLine(output);
  if (exitCode === 0) return passed(line === "" ? "exited with 0" : line);
  return failed(`${exitCode === null ? "was ended" : `exited with ${exitCode}`}${line === "" ? "" : `: ${line}`}`);
}

/**
 * 0 is well, 1 a warning, 2 critical, anything else says nothing about the service (Nagios plugin guidelines); the first line up to `|` is the
 * text, after that comes performance data. A warning passes: it is for people to look at, not for a machine to act on.
 */
function judgeNagios({ exitCode, output }: CommandEnd): Finding {
  const line = output.split("\n", 1)[0] ?? "";
  const bar = line.indexOf("|");
  const text = (bar === -1 ? line : line.slice(0, bar)).trim();
  const words = text === "" ? `the plugin said nothing and exited with ${exitCode}` : text;
  if (exitCode === 0 || exitCode === 1) return passed(words);
  return failed(exitCode === 2 ? words : `unknown: ${words}`);
}

/**
 * cucumber-nagios prints one line, `CUCUMBER OK - Critical: 0, Warning: 0, 4 okay | passed=4; failed=0; nosteps=0; total=4`, and exits as a plugin
 * does. The counts decide, so that a wrapper that loses the exit status cannot turn a failed scenario into a passed one.
 */
function judgeCucumber(end: CommandEnd): Finding {
  const line = end.output.split("\n").find((one) => /^CUCUMBER\b/.test(one)) ?? "";
  const counts = /Critical: (\d+), Warning: (\d+), (\d+) okay/.exec(line);
  if (counts === null) return failed(`no summary of cucumber-nagios: ${oneLine(lastLine(end.output))}`);
  const [critical, , okay] = counts.slice(1).map(Number) as [number, number, number];
  const text = line.split("|", 1)[0] ?? line;
  if (critical > 0 || (end.exitCode !== 0 && end.exitCode !== 1)) return failed(text);
  return okay === 0 ? failed(`${text}: nothing was tested`) : passed(text);
}

function lastLine(output: string): string {
  return oneLine(output.trimEnd().split("\n").at(-1) ?? "");
}
