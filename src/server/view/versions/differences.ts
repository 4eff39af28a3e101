import type { AppVersions, InstanceVersion, VersionDifference } from "#model/api-versions.ts";
import { shortInstanceId } from "#model/names.ts";

/** Instances that one sentence names. */
const mostNamed = 3;

/** Where what is wanted, what runs and what it says of itself are not the same. What an instance says is told of and decides nothing. */
export function findDifferences({ wanted, routes, instances }: Omit<AppVersions, "differences">): VersionDifference[] {
  const behind = wanted === null ? [] : instances.filter(({ release }) => release !== wanted.release);
  const differences: VersionDifference[] = [];
  if (wanted !== null && behind.length > 0)
    differences.push(
      different(
        "RELEASE_BEHIND",
        behind,
        `${runs(behind)} release ${list(behind.map(({ release }) => release))}, and ${wanted.release} is wanted`,
      ),
    );
  for (const { place, targets } of routes) {
    const others = targets.filter(({ release, share }) => share > 0 && release !== wanted?.release);
    if (wanted !== null && others.length > 0)
      differences.push({
        code: "ROUTE_BEHIND",
        message: `${place} leads to release ${list(others.map(({ release }) => release))}, and ${wanted.release} is wanted`,
        instances: [],
      });
  }
  return [...differences, ...contradictions(instances), ...otherReleases(instances)];
}

/** Those of one release and process are made from one artifact: they should say one thing. */
function contradictions(instances: readonly InstanceVersion[]): VersionDifference[] {
  const groups = Map.groupBy(instances, ({ process, release }) => `${process} of release ${release}`);
  return [...groups].flatMap(([group, members]) => {
    const says = Map.groupBy(
      members.filter(({ said }) => said !== null && (said.version !== null || said.commit !== null)),
      ({ said }) => [said?.version, said?.commit].filter((text) => text != null).join(" "),
    );
    if (says.size < 2) return [];
    const words = [...says].map(([text, who]) => `${text} (${who.length})`).sort();
    return [different("SAYS_DIFFERENTLY", [...says.values()].flat(), `instances of ${group} say different versions: ${words.join(", ")}`)];
  });
}

function otherReleases(instances: readonly InstanceVersion[]): VersionDifference[] {
  const others = instances.filter(({ said, release }) => {
    const own = said?.more["release"];
    return own !== undefined && /^\d+$/.test(own) && Number(own) !== release;
  });
  if (others.length === 0) return [];
  const words = others
    .slice(0, mostNamed)
    .map(({ id, release, said }) => `${shortInstanceId(id as never)} runs ${release} and says ${said?.more["release"]}`);
  const more = others.length > mostNamed ? `, and ${others.length - mostNamed} more` : "";
  return [different("SAYS_OTHER_RELEASE", others, `instances say another release than they run: ${words.join(", ")}${more}`)];
}

function different(code: VersionDifference["code"], who: readonly InstanceVersion[], message: string): VersionDifference {
  return { code, message, instances: who.map(({ id }) => id) };
}

function runs(instances: readonly InstanceVersion[]): string {
  return instances.length === 1 ? "1 instance runs" : `${instances.length} instances run`;
}

function list(releases: readonly number[]): string {
  return [...new Set(releases)].sort((a, b) => a - b).join(" and ");
}
