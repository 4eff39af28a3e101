import { useState } from "preact/hooks";
import type { CheckView, Simulation } from "#model/api-escalations.ts";
import { ApiError, apiPath, call } from "../../api/client.ts";
import { exactSpan, quote } from "../../parts/format.ts";
import { ErrorNotice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { parameter, setParameters } from "../../state/location.ts";

/** Plays the ladder with some checks failing; nothing is done. */
export function Simulate({ space, checks }: { readonly space: string; readonly checks: readonly CheckView[] }) {
  const fail = parameter("fail").split(",").filter(Boolean);
  const isMending = parameter("broken") === "";
  const [played, setPlayed] = useState<Simulation | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const toggle = (id: string) => setParameters({ fail: (fail.includes(id) ? fail.filter((one) => one !== id) : [...fail, id]).join(",") });
  const play = async (event: Event) => {
    event.preventDefault();
    setError(null);
    try {
      setPlayed(await call<Simulation>("POST", apiPath(["spaces", space, "simulate"]), { body: { fail, isMending } }));
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    }
  };
  const command = `drover ladder simulate --fail ${quote(fail.join(","))}${isMending ? "" : " --stay-broken"} --space ${space}`;
  return (
    <Section title="What would happen if these failed now" command={command}>
      <form class="simulate" onSubmit={(event) => void play(event)}>
        <fieldset>
          <legend class="unseen">Checks that fail</legend>
          {checks.map(({ id }) => (
            <label key={id}>
              <input type="checkbox" checked={fail.includes(id)} onChange={() => toggle(id)} />
              {id}
            </label>
          ))}
        </fieldset>
        <label>
          <input
            type="checkbox"
            checked={!isMending}
            onChange={(event) => setParameters({ broken: event.currentTarget.checked ? "1" : "" })}
          />
          nothing that is done helps
        </label>
        <button type="submit" class="primary" disabled={fail.length === 0} title={fail.length === 0 ? "Choose a check that fails." : ""}>
          Play an hour
        </button>
      </form>
      <ErrorNotice error={error} />
      {played !== null && (
        <>
          <ol class="timeline" aria-label="What would happen">
            {played.lines.map(({ atMs, kind, target, text }) => (
              <li key={`${atMs} ${kind} ${target} ${text}`}>
                <span class="mono">+{exactSpan(Math.round((atMs - played.fromMs) / 1_000) * 1_000)}</span>
                <strong>{kind}</strong>
                <div>
                  {target}: {text}
                </div>
              </li>
            ))}
          </ol>
          <p>{played.outcomes.map(({ target, outcome }) => `${target}: ${outcome}`).join("; ")}</p>
        </>
      )}
    </Section>
  );
}
