import type { CheckState } from "#model/check.ts";

/** Fewer checks than this, seen from several places, prove nothing about a probe. */
const leastShared = 3;

/**
 * Probes that are not believed: of the checks that others make too, and pass, the probe sees at least `share` fail. It is the probe that has lost its
 * network then, and not everything that it looks at.
 */
export function findSuspects(states: Iterable<CheckState>, share: number): ReadonlySet<string> {
  const seen = new Map<string, { shared: number; alone: number }>();
  for (const { probes } of states) {
    const views = Object.entries(probes);
    if (views.length < 2) continue;
    for (const [probe, { isOk }] of views) {
      const others = views.filter(([other]) => other !== probe);
      const passing = others.filter(([, view]) => view.isOk).length;
      if (passing * 2 <= others.length) continue;
      const count = seen.get(probe) ?? { shared: 0, alone: 0 };
      seen.set(probe, { shared: count.shared + 1, alone: count.alone + (isOk ? 0 : 1) });
    }
  }
  return new Set([...seen].filter(([, { shared, alone }]) => shared >= leastShared && alone >= share * shared).map(([probe]) => probe));
}
