import type { Finding } from "#checks/finding.ts";
import type { ExpandedCheck } from "#model/check.ts";
import { DroverError } from "#model/errors.ts";
import type { SpaceName } from "#model/names.ts";
import type { JudgedChecks } from "./judged-checks.ts";
import type { LinkedProbes } from "./linked-probes.ts";
import { type ServerProbe, serverProbe } from "./server-probe.ts";

/** What one attempt from each place found. */
export interface FoundOnce extends Finding {
  /** By whoever made it. */
  readonly probes: Readonly<Record<string, Finding>>;
  /** Who could not make it, and why: that says nothing about what is checked. */
  readonly unable: Readonly<Record<string, string>>;
}

export interface CheckOncePlaces {
  readonly probe: Pick<ServerProbe, "once">;
  readonly judged: Pick<JudgedChecks, "once">;
  readonly linked: Pick<LinkedProbes, "once">;
  /** Why nobody can make it; null when somebody can. */
  readonly impossible: string | null;
}

/**
 * Makes a check once now from everywhere that it is made from, and judges by majority as its schedule does. Changes nothing.
 * @throws {DroverError} CHECK_IMPOSSIBLE, ADDRESS_REFUSED when nobody could make it
 */
export async function checkOnce(
  places: CheckOncePlaces,
  space: SpaceName,
  { id, check }: ExpandedCheck,
  signal: AbortSignal,
): Promise<FoundOnce> {
  const { probe, judged, linked, impossible } = places;
  const known = judged.once(space, id);
  if (known !== null) return { ...known, probes: { [serverProbe]: known }, unable: {} };
  const attempts = [[serverProbe, probe.once(space, id, signal)] as const, ...linked.once(space, id, check.timeoutMs, signal)];
  const made = await Promise.all(
    attempts.map(async ([name, attempt]) => {
      try {
        return { name, found: await attempt, error: null };
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Error)) throw error;
        return { name, found: null, error };
      }
    }),
  );
  const probes = Object.fromEntries(made.flatMap(({ name, found }) => (found === null ? [] : [[name, found]])));
  const errors = made.flatMap(({ name, error }) => (error === null ? [] : [{ name, error }]));
  const found = Object.values(probes);
  if (found.length === 0) {
    const [first] = errors;
    if (first !== undefined) throw first.error;
    throw new DroverError("CHECK_IMPOSSIBLE", `check "${id}" cannot be made now: ${impossible ?? unknownOf(check)}`, {
      hint: "`drover check show` has what its probes found last, `drover status` who is linked.",
    });
  }
  const isOk = found.filter((one) => one.isOk).length * 2 >= found.length;
  const message = found.find((one) => one.isOk === isOk)?.message ?? "";
  return { isOk, message, probes, unable: Object.fromEntries(errors.map(({ name, error }) => [name, error.message])) };
}

function unknownOf({ test }: ExpandedCheck["check"]): string {
  return test.kind === "metric" ? "its figure is not known, or not for long enough since the last step" : "nobody who makes it is linked";
}
