import { type CommandEnd, type Finding, failed, oneLine, passed, withPerformance } from "../finding.ts";

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
 * text, after that comes performance data. A warning passes: it is for people to look at, not for a machine to act on. More lines may follow, with
 * long text up to a second `|`, and performance data from there to the end.
 */
function judgeNagios({ exitCode, output }: CommandEnd): Finding {
  const [first = "", ...rest] = output.split("\n");
  const [text, measured] = atBar(first);
  const words = text === "" ? `the plugin said nothing and exited with ${exitCode}` : text;
  const isOk = exitCode === 0 || exitCode === 1;
  const finding = isOk ? passed(words) : failed(exitCode === 2 ? words : `unknown: ${words}`);
  return withPerformance(finding, `${measured} ${atBar(rest.join("\n"))[1]}`);
}

/** What stands before the first `|`, and after it. */
function atBar(text: string): readonly [before: string, after: string] {
  const bar = text.indexOf("|");
  return bar === -1 ? [text.trim(), ""] : [text.slice(0, bar).trim(), text.slice(bar + 1)];
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
  const [text, measured] = atBar(line);
  const isBad = critical > 0 || (end.exitCode !== 0 && end.exitCode !== 1);
  const finding = isBad ? failed(text) : okay === 0 ? failed(`${text}: nothing was tested`) : passed(text);
  return withPerformance(finding, measured);
}

function lastLine(output: string): string {
  return oneLine(output.trimEnd().split("\n").at(-1) ?? "");
}
