import type { ProbedTest } from "#model/check-orders.ts";
import { DroverError, hasCode } from "#model/errors.ts";
import { type CheckSurroundings, type Finding, failed } from "./finding.ts";
import { judgeCommand } from "./runners/command-output.ts";
import { checkDns } from "./runners/dns.ts";
import { checkHttp } from "./runners/http.ts";
import { checkIcmp } from "./runners/icmp.ts";
import { checkLogs } from "./runners/logs.ts";
import { checkTcp } from "./runners/tcp.ts";

/**
 * Makes one attempt. A promise that does not hold is a finding; only what says nothing about the promise is thrown.
 * @param signal aborts when the attempt's time is over: that is a finding too
 * @throws {DroverError} CHECK_IMPOSSIBLE, ADDRESS_REFUSED
 */
export async function makeCheck(test: ProbedTest, surroundings: CheckSurroundings, signal: AbortSignal): Promise<Finding> {
  const filled = fillTarget(test, surroundings.target);
  try {
    switch (filled.kind) {
      case "http":
        return await checkHttp(filled, surroundings, signal);
      case "tcp":
        return await checkTcp(filled, surroundings, signal);
      case "icmp":
        return await checkIcmp(filled, surroundings, signal);
      case "dns":
        return await checkDns(filled, surroundings, signal);
      case "command": {
        if (surroundings.runCommand === null)
          throw new DroverError("CHECK_IMPOSSIBLE", "commands of checks are run by agents alone", {
            hint: "Make the check from an agent: `from: [agent]`.",
          });
        const end = await surroundings.runCommand(filled.run, filled.env, signal);
        return signal.aborted ? failed("the command took too long") : judgeCommand(filled.output, end);
      }
      case "log":
        return await checkLogs(filled, surroundings, signal);
      default:
        return filled satisfies never;
    }
  } catch (error) {
    // The name of a host is part of the promise: that it cannot be resolved breaks it.
    if (hasCode(error, "ENOTFOUND")) return failed("the host's name cannot be resolved");
    if (hasCode(error, "EAI_AGAIN")) return failed("the host's name could not be resolved: the name servers do not answer");
    throw error;
  }
}

/** `{target}` in every text of a test. Commands get it as `$TARGET` instead: a name must not become a part of a shell's line. */
function fillTarget(test: ProbedTest, target: string): ProbedTest {
  const fill = (text: string) => text.replaceAll("{target}", target);
  const fillOrNull = (text: string | null) => (text === null ? null : fill(text));
  switch (test.kind) {
    case "http":
      return { ...test, url: fill(test.url), body: fillOrNull(test.body) };
    case "tcp":
    case "icmp":
      return { ...test, host: fillOrNull(test.host) };
    case "dns":
      return { ...test, name: fill(test.name), server: fillOrNull(test.server) };
    case "log":
      return { ...test, search: fill(test.search) };
    case "command":
      return { ...test, env: { ...test.env, TARGET: target } };
    default:
      return test satisfies never;
  }
}
