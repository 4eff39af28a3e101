import { existsSync } from "node:fs";
import { homedir } from "node:os";
import type { ExecRequest } from "#model/exec.ts";
import type { ExecSurroundings } from "./surroundings.ts";

/** What else of the agent's own environment programs ask for; nothing that was said to Drover. */
const passed = ["PATH", "LANG", "TZ", "USER", "LOGNAME", "SHELL"];

/** The surroundings of a command on the machine itself: the user that Drover has there, as after a login. */
export function surroundingsOnMachine(
  { command, terminal }: Pick<ExecRequest, "command" | "terminal">,
  environment: Readonly<Record<string, string | undefined>>,
): ExecSurroundings {
  const home = existsSync(homedir()) ? homedir() : "/";
  const kept = passed.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]] as const]));
  return { cwd: home, env: { ...Object.fromEntries(kept), HOME: home }, uid: null, gid: null, join: async () => {}, command, terminal };
}
