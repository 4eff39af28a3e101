/**
 * Named places where a test can break this program, from outside and at an exact moment: `failpoint("store.commit.before")` in the code, and
 *
 *     DROVER_FAILPOINTS=store.commit.before=kill@3,orders.sent=error
 *
 * in the environment of the process. Actions, taken at the n-th time that the place is reached (`@n`, default 1):
 * - `kill`: SIGKILL to this process, as a crash or a power cut of the program.
 * - `freeze`: SIGSTOP, as a paused virtual machine; whoever set it continues the process.
 * - `error`: throws a FailpointError.
 *
 * The environment is read once, at import: the one exception to "no import side effects", so that a failpoint that is off is an empty
 * function. Names are literals in the call, because `testing/failpoint-names.ts` finds all of them in the sources.
 */
export const failpoint: (name: string) => void = makeFailpoint(process.env["DROVER_FAILPOINTS"] ?? "", (signal) => {
  process.kill(process.pid, signal);
});

export class FailpointError extends Error {
  override readonly name = "FailpointError";
  readonly code = "FAILPOINT";
}

type FailpointAction = "kill" | "freeze" | "error";

/** @throws {Error} if `spec` cannot be read: a test that breaks nothing must not pass. */
export function makeFailpoint(spec: string, signal: (name: "SIGKILL" | "SIGSTOP") => void): (name: string) => void {
  if (spec === "") return () => {};
  const armed = parseFailpoints(spec);
  return (name) => {
    const point = armed.get(name);
    if (point === undefined || --point.hitsLeft !== 0) return;
    if (point.action === "error") throw new FailpointError(`failpoint "${name}" was told to fail`);
    signal(point.action === "kill" ? "SIGKILL" : "SIGSTOP");
  };
}

function parseFailpoints(spec: string): Map<string, { readonly action: FailpointAction; hitsLeft: number }> {
  const armed = new Map<string, { readonly action: FailpointAction; hitsLeft: number }>();
  for (const part of spec.split(",")) {
    const match = /^([a-z0-9.-]+)=(kill|freeze|error)(?:@([1-9][0-9]{0,8}))?$/.exec(part.trim());
    const [, name, action, at = "1"] = match ?? [];
    if (name === undefined) throw new Error(`DROVER_FAILPOINTS has "${part}"; wanted name=kill|freeze|error, with @n for the n-th time`);
    armed.set(name, { action: action as FailpointAction, hitsLeft: Number(at) });
  }
  return armed;
}
