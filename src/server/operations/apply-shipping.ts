import type { Space } from "#model/app.ts";
import type { DestinationManifest } from "#model/log-shipping-schemas.ts";
import type { SpaceLogs } from "#model/space-logs-schemas.ts";
import { type FoundProblem, nearest, throwProblems } from "../manifests/problems.ts";
import type { Declared } from "../manifests/read-manifests.ts";
import type { OperationContext } from "./context.ts";
import { livingApps, missingSources } from "./missing-sources.ts";
import { isEqualJson } from "./release-spec.ts";

/** Since when each destination gets lines: what is sent elsewhere than before begins anew. */
export function shipsSince(before: Space | null, logs: SpaceLogs | undefined, nowMs: number): Readonly<Record<string, number>> {
  const known = before?.logs?.ship ?? {};
  return Object.fromEntries(
    Object.entries(logs?.ship ?? {}).map(([name, destination]) => {
      const was = known[name];
      const isSame = was !== undefined && receiverOf(was) === receiverOf(destination);
      return [name, (isSame ? before?.shipsSinceMs?.[name] : undefined) ?? nowMs];
    }),
  );
}

/** What makes it another receiver; how it is reached, and what of all lines it gets, may change. */
function receiverOf({ syslog, otlp, elasticsearch, http, stream }: DestinationManifest): string {
  return JSON.stringify([syslog, otlp, elasticsearch, http, stream]);
}

/** Whether it changes what is sent of more than the space itself. */
export function changesWhatOthersSend(before: SpaceLogs | undefined, after: SpaceLogs | undefined): boolean {
  return !isEqualJson(beyondSpace(before), beyondSpace(after));
}

function beyondSpace(logs: SpaceLogs | undefined) {
  return Object.fromEntries(Object.entries(logs?.ship ?? {}).filter(([, { from }]) => from !== undefined));
}

/** A secret that is not there would be found out by lines that nobody gets. @throws {DroverError} MANIFEST_INVALID with every place */
export function requireShippingSecrets({ secrets }: OperationContext, { space, spaceManifest }: Declared): void {
  if (spaceManifest === null) return;
  const { file, place, manifest } = spaceManifest;
  const problems: FoundProblem[] = [];
  for (const [name, { headers = {}, password }] of Object.entries(manifest.logs?.ship ?? {})) {
    const wanted = Object.entries(headers).map(([header, secret]) => [["headers", header], secret] as const);
    for (const [key, secret] of password === undefined ? wanted : [...wanted, [["password"], password] as const]) {
      if (secrets.latest(space, secret) !== null) continue;
      const path = ["logs", "ship", name, ...key];
      problems.push({
        kind: "invalid",
        file,
        ...place(path),
        path: path.join("."),
        found: `secret "${secret}", which is not set`,
        wanted: `a secret of space "${space}": set it first with \`drover secret set ${secret} --space ${space}\``,
        nearest: null,
      });
    }
  }
  throwProblems(problems);
}

/** What is declared may come later, so that it is not there yet is no mistake; a wrong name would be found out by lines that nobody gets. */
export function shippingWarnings({ store }: OperationContext, { space, spaceManifest, apps }: Declared, prune: boolean): readonly string[] {
  const known = new Set([...(prune ? [] : livingApps(store, space)), ...apps.map(({ manifest }) => manifest.app)]);
  return Object.entries(spaceManifest?.manifest.logs?.ship ?? {}).flatMap(([name, destination]) => {
    const missing = missingSources(store, space, destination, known);
    return [
      ...missing.apps.map((app) => {
        const like = nearest(app, [...known]);
        const meant = like === null ? "" : `; did you mean "${like}"?`;
        return `destination "${name}" gets the lines of "${app}", which space "${space}" does not have (yet)${meant}`;
      }),
      ...missing.spaces.map((one) => `destination "${name}" gets the lines of space "${one}", which there is not (yet)`),
    ];
  });
}
