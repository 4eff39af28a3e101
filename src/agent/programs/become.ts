import { join } from "node:path";
import { execve } from "node:process";

/** What starts an agent with these arguments once more, but for the program: manifests that were applied at its first start are not applied again. */
export function restartArguments(args: readonly string[]): readonly string[] {
  const kept = args.filter((arg, index) => arg !== "--apply" && args[index - 1] !== "--apply" && !arg.startsWith("--apply="));
  return ["up", ...kept];
}

/** Whether systemd has started this very process, and so starts the next one. Older ones than 248 do not say which process it was. */
export function isSupervised(environment: Readonly<Record<string, string | undefined>>, pid: number, parentPid: number): boolean {
  const { INVOCATION_ID: invocation, SYSTEMD_EXEC_PID: started } = environment;
  return started === String(pid) || (started === undefined && invocation !== undefined && parentPid === 1);
}

/** What the launcher sets by itself, by the folder that it is in, and would keep from this one. */
export function withoutOwnCache(
  root: string,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const { NODE_COMPILE_CACHE: cache, ...rest } = environment;
  return cache === join(root, "node_modules", ".cache", "drover") ? rest : { ...rest, NODE_COMPILE_CACHE: cache };
}

/**
 * Goes on as the agent of another folder: in this process, under the number by which a terminal, systemd or `npm start` know it. All that this one holds has
 * to be let go of before. Children stay children, and are taken over as those of an agent that was killed.
 */
export function become(
  root: string,
  own: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): never {
  const drover = join(root, "bin", "drover");
  // Windows has none, and no agent either.
  if (execve === undefined) throw new Error("this system has no execve");
  const variables = Object.entries(withoutOwnCache(own, environment)).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return execve(drover, [drover, ...args], Object.fromEntries(variables));
}
