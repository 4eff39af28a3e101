import type { SessionView } from "#model/api-access.ts";
import { apiPath, call } from "../api/client.ts";
import { Action } from "../parts/action.tsx";
import { Age } from "../parts/age.tsx";
import { ErrorNotice } from "../parts/notice.tsx";
import { Section } from "../parts/section.tsx";
import { useLoad } from "../state/use.ts";

/** Who is logged in, and ending it. */
export function SessionsPage() {
  const { value, error, reload } = useLoad(
    "sessions",
    (signal) => call<{ sessions: SessionView[] }>("GET", apiPath(["sessions"]), { signal }),
    { wakes: ({ kind }) => kind.startsWith("session.") },
  );
  return (
    <>
      <h1>Sessions</h1>
      <ErrorNotice error={error} />
      <Section title="Logged in" note={String(value?.sessions.length ?? "")} command="drover session ls">
        <table>
          <thead>
            <tr>
              <th scope="col">session</th>
              <th scope="col">of</th>
              <th scope="col">opened</th>
              <th scope="col">used</th>
              <th scope="col" class="wide minor">
                browser
              </th>
              <th scope="col">
                <span class="unseen">actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {value?.sessions.map(({ id, token, role, isCurrent, openedAtMs, usedAtMs, agent }) => (
              <tr key={id}>
                <td class="mono">
                  {id}
                  {isCurrent && <span class="muted"> this one</span>}
                </td>
                <td>
                  {token} {token !== role && <span class="muted">{role}</span>}
                </td>
                <td>
                  <Age atMs={openedAtMs} />
                </td>
                <td>
                  <Age atMs={usedAtMs} />
                </td>
                <td class="wide minor muted">{agent}</td>
                <td>
                  <Action
                    label="End"
                    explains={isCurrent ? "Logs this browser out." : `Logs the browser of session ${id} out.`}
                    command={`drover session end ${id}`}
                    run={() => call("DELETE", apiPath(["sessions", id]))}
                    onDone={reload}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Section>
    </>
  );
}
