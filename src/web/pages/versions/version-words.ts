import type { InstanceVersion } from "#model/api-versions.ts";

/** Which releases run, the newest first, with how many of each where there are several. */
export function releasesText(instances: readonly Pick<InstanceVersion, "release">[]): string {
  const counts = new Map<number, number>();
  for (const { release } of instances) counts.set(release, (counts.get(release) ?? 0) + 1);
  const releases = [...counts].sort(([a], [b]) => b - a);
  if (releases.length === 0) return "–";
  return releases.map(([release, number]) => (releases.length === 1 ? String(release) : `${number} × ${release}`)).join(", ");
}

/** What the instances say they are: each version once, with its commit where there is one. */
export function saidVersions(instances: readonly Pick<InstanceVersion, "said">[]): readonly string[] {
  return [
    ...new Set(
      instances.flatMap(({ said }) => {
        const word = said?.version ?? said?.commit?.slice(0, 12) ?? null;
        return word === null ? [] : [word];
      }),
    ),
  ];
}

/** All that an instance says of itself, as one line. */
export function saidText({ version, commit, more }: NonNullable<InstanceVersion["said"]>): string {
  const words = [
    ...(version === null ? [] : [version]),
    ...(commit === null ? [] : [`commit ${commit}`]),
    ...Object.entries(more).map(([key, value]) => `${key}=${value}`),
  ];
  return words.join(", ");
}
