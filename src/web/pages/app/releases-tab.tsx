import type { ReleaseView } from "#model/api.ts";
import { apiPath, call } from "../../api/client.ts";
import { Action } from "../../parts/action.tsx";
import { Age } from "../../parts/age.tsx";
import { ErrorNotice, Nothing } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { State } from "../../parts/state.tsx";
import { visibleText } from "../../parts/visible-text.ts";
import { useLoad } from "../../state/use.ts";
import type { TabProps } from "./app-page.tsx";
import { Compare, Differences } from "./release-compare.tsx";
import { differences } from "./release-differences.ts";

const tones = { pending: "busy", active: "good", superseded: "off", failed: "bad" } as const;

/** The releases that are kept, what each changed, and the way back to it. */
export function ReleasesTab({ status }: TabProps) {
  const { space, name } = status;
  const { value, error } = useLoad(
    `${space}/${name}`,
    (signal) => call<{ releases: ReleaseView[] }>("GET", apiPath(["spaces", space, "apps", name, "releases"]), { signal }),
    { wakes: (event) => event.space === space && event.app === name && event.kind.startsWith("release.") },
  );
  const releases = value?.releases ?? [];
  const active = releases.find(({ number }) => number === status.active);
  return (
    <>
      <Section title="Releases" note={String(value?.releases.length ?? "")} command={`drover releases ${space}/${name}`}>
        <ErrorNotice error={error} />
        {value !== null && releases.length === 0 && <Nothing>There are no releases yet.</Nothing>}
        <ol class="releases" aria-label="Releases">
          {releases.map((release, i) => (
            <li key={release.number}>
              <div class="line">
                <strong>{release.number}</strong>
                <State tone={tones[release.state]} word={release.state} />
                <span class="muted">
                  {release.cause}, <Age atMs={release.createdAtMs} />
                </span>
                <span class="grow" />
                <Action
                  label="Roll back"
                  explains={`Goes back to release ${release.number}: makes a new release with its content.`}
                  command={`drover rollback ${space}/${name} ${release.number}`}
                  impossible={whyNot(release, status.active, status.target)}
                  run={() => call("POST", apiPath(["spaces", space, "apps", name, "rollback"]), { body: { to: release.number } })}
                >
                  {active !== undefined && <Differences all={differences(active, release)} none="Nothing differs from what is active." />}
                </Action>
              </div>
              {release.failure !== null && <p class="bad">{visibleText(release.failure.reason)}</p>}
              <Changes release={release} before={releases[i + 1]} />
            </li>
          ))}
        </ol>
      </Section>
      <Compare releases={releases} active={status.active} />
    </>
  );
}

function whyNot({ number, state }: ReleaseView, active: number | null, target: number | null): string | null {
  if (number === active && number === target) return "It is the active release.";
  if (number === target) return "It is on its way.";
  return state === "failed" ? "It failed." : null;
}

function Changes({ release, before }: { readonly release: ReleaseView; readonly before: ReleaseView | undefined }) {
  if (before === undefined) return null;
  const all = differences(before, release);
  return (
    <details>
      <summary>{all.length === 0 ? `as release ${before.number}` : `${all.length} changed since release ${before.number}`}</summary>
      <Differences all={all} none="Nothing differs." />
    </details>
  );
}
