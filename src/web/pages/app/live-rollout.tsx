import type { AppStatus } from "#model/api.ts";
import { Age } from "../../parts/age.tsx";
import { Section } from "../../parts/section.tsx";
import { visibleText } from "../../parts/visible-text.ts";

/** A deploy as it goes on: both releases side by side, with their shares of the traffic, and what it waits for. */
export function LiveRollout({ status }: { readonly status: AppStatus }) {
  const { rollout, instances, lastFailure } = status;
  if (rollout === null) return lastFailure === null ? null : <Failure failure={lastFailure} />;
  const releases = [...new Set([rollout.release, ...instances.map(({ release }) => release)])].sort((a, b) => b - a);
  return (
    <Section title="Rollout" note={`to release ${rollout.release}`}>
      <table>
        <thead>
          <tr>
            <th scope="col">release</th>
            <th scope="col" class="number">
              ready
            </th>
            <th scope="col" class="number">
              draining
            </th>
            <th scope="col" class="wide">
              share of the traffic
            </th>
          </tr>
        </thead>
        <tbody>
          {releases.map((release) => {
            const own = instances.filter((one) => one.release === release);
            const share = release === rollout.release ? rollout.weight : release === status.active ? 1 - rollout.weight : 0;
            return (
              <tr key={release}>
                <td>
                  {release} {release === rollout.release && <span class="busy">new</span>}
                </td>
                <td class="number">
                  {own.filter(({ ready }) => ready).length}/{own.length}
                </td>
                <td class="number">{own.filter(({ state }) => state === "draining").length}</td>
                <td class="wide">
                  <meter min={0} max={1} value={share} aria-label={`Share of release ${release}`} /> {Math.round(share * 100)} %
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="muted">
        Since <Age atMs={rollout.startedAtMs} />.{rollout.waitingFor.map((words) => ` Waits for ${visibleText(words)}.`)}
      </p>
    </Section>
  );
}

/** The newest deploy did not come to be; what is shown runs on. */
function Failure({ failure: { release, failure } }: { readonly failure: NonNullable<AppStatus["lastFailure"]> }) {
  return (
    <Section title={`Release ${release} failed`} note={failure.code}>
      <p>
        {visibleText(failure.reason)}, <Age atMs={failure.atMs} /> ago
      </p>
      {failure.lines.length > 0 && <pre class="output">{failure.lines.map(visibleText).join("\n")}</pre>}
    </Section>
  );
}
